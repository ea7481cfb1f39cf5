import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)


class SimulatedClock:
    """The loop's time, for service and emulator alike; a service's time of day may be wrong, by hours at times."""

    def __init__(self, time: Callable[[], float], *, skew_s: float = 0.0) -> None:
        self._time = time
        self.skew_s = skew_s
        """How far the time of day is ahead."""

    def monotonic(self) -> float:
        """Return seconds since the run began."""
        return self._time()

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return START + timedelta(seconds=self._time() + self.skew_s)

    async def sleep(self, seconds: float) -> None:
        """Come back so many virtual seconds later."""
        await asyncio.sleep(seconds)
