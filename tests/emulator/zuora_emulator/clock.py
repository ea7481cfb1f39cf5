"""Time, as the emulator sees it: given from outside, so that tests own it."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Protocol

USUAL_START = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Where clocks stand that do not follow the machine's."""


FARTHEST_S = 100 * 366 * 86_400
"""How far from `USUAL_START` a clock may be set, in seconds: tokens and keys still end in a year that exists."""


def is_possible(time: datetime) -> bool:
    """Whether a clock may be set to an aware time."""
    return abs(time - USUAL_START) <= timedelta(seconds=FARTHEST_S)


class Clock(Protocol):
    """Where the emulator takes the time from and how it waits."""

    def now(self) -> datetime:
        """The time in UTC, aware."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's time, for people and other languages.

    Args:
        ahead: how wrong the clock is; may be changed at any time.
    """

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        """The time in UTC, aware."""
        return self.ahead + datetime.now(UTC)  # noqa: TID251 - the one place of the emulator that reads the machine's clock

    async def sleep(self, seconds: float) -> None:
        """Come back after that many real seconds."""
        await asyncio.sleep(seconds)

    async def wait_for(self, event: asyncio.Event, seconds: float | None) -> None:
        """Come back when the event is set, or after that many real seconds; None: only when it is set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


class ClockNotAdjustableError(TypeError):
    """The clock belongs to the test or program that made it, which must move it itself."""


def move(clock: Clock, by: timedelta) -> None:
    """Move a clock of one of the kinds below.

    Raises:
        ClockNotAdjustableError: It is of another kind.
    """
    match clock:
        case ManualClock():
            clock.advance(by)
        case StoppedClock():
            clock.time += by
        case SystemClock():
            clock.ahead += by
        case _:
            raise ClockNotAdjustableError("The clock belongs to the program that made it, which must move it itself.")


class StoppedClock:
    """A clock that stands still for whole processes, so that equal scripts see equal times; a wait is a real one.

    Args:
        time: where it stands, aware; may be changed at any time.
    """

    def __init__(self, time: datetime = USUAL_START) -> None:
        self.time = time

    def now(self) -> datetime:
        """The time in UTC, aware."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Come back after that many real seconds."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told.

    Args:
        start: the first answer of `now`, aware.
        jump: a sleeper moves the clock by itself and goes on at once; off, it waits for `advance`.
    """

    def __init__(self, start: datetime = USUAL_START, *, jump: bool = True) -> None:
        self._now = start
        self._jump = jump
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []
        self._somebody_sleeps = asyncio.Event()

    def now(self) -> datetime:
        """The time in UTC, aware."""
        return self._now

    async def until_somebody_sleeps(self) -> None:
        """Come back as soon as a call waits for `advance`."""
        await self._somebody_sleeps.wait()

    def advance(self, by: timedelta) -> None:
        """Move the clock and wake whoever is due."""
        self._now += by
        for due, event in self._sleepers:
            if due <= self._now:
                event.set()
        self._sleepers = [(due, event) for due, event in self._sleepers if due > self._now]
        if not self._sleepers:
            self._somebody_sleeps.clear()

    async def sleep(self, seconds: float) -> None:
        """Come back once the clock stands that many seconds later."""
        if self._jump:
            self.advance(timedelta(seconds=seconds))
            await asyncio.sleep(0)
            return
        event = asyncio.Event()
        self._sleepers.append((self._now + timedelta(seconds=seconds), event))
        self._somebody_sleeps.set()
        await event.wait()
