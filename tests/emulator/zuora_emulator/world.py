"""Everything a call can touch, in one place."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from zuora_emulator.apple_tokens import TokenOpener
from zuora_emulator.clock import Clock, move
from zuora_emulator.faults import Faults
from zuora_emulator.fixtures import Fixtures
from zuora_emulator.idempotency import Idempotency
from zuora_emulator.ids import Ids
from zuora_emulator.journal import Journal
from zuora_emulator.ledger import Ledger
from zuora_emulator.limits import Limits
from zuora_emulator.settings import Settings
from zuora_emulator.state import State
from zuora_emulator.upc import Upc

_Result = TypeVar("_Result")


@dataclass(slots=True, kw_only=True)
class World:
    """The emulated Zuora."""

    settings: Settings
    clock: Clock
    ids: Ids
    opener: TokenOpener
    limits: Limits
    idempotency: Idempotency
    fixtures: Fixtures
    state: State
    ledger: Ledger = field(default_factory=Ledger)
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    upc: Upc = field(init=False)
    _first_settings: Settings = field(init=False, repr=False)
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Remember how the switches stood at the start."""
        self._first_settings = replace(self.settings)

    async def finished_anyway(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run something to its end, although the caller that waits for it may leave."""
        task = asyncio.create_task(work)  # noqa: TID251 - kept below until it ends
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def advance(self, by: timedelta) -> None:
        """Move the clock, forward with a stop wherever something is due by it, as if the time had passed.

        Args:
            by: How far; less than nothing moves it back.

        Raises:
            ClockNotAdjustableError: The clock is of another kind than `ManualClock` and `SystemClock`.
        """
        end = self.clock.now() + by
        while (due := self.upc.next_due()) is not None and due <= end:
            move(self.clock, max(due - self.clock.now(), timedelta()))
            await self.upc.run_due()
        # Run back only as far as was asked for: what was due took no time.
        move(self.clock, end - self.clock.now() if by < timedelta() else max(end - self.clock.now(), timedelta()))
        self.upc.changed.set()

    def switch_back(self) -> None:
        """Set the switches as they stood at the start."""
        self.settings.switch(asdict(self._first_settings))

    def reset(self) -> None:
        """Go back to the start: its switches and world, no calls, faults, tokens, payments; the clock stays."""
        self.switch_back()
        self.state = self.fixtures.state()
        self.upc.reset(self.state)
        self.limits.clear()
        for book in (self.ledger, self.journal, self.faults, self.idempotency):
            book.clear()
