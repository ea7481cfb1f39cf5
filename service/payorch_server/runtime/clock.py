"""The clock, injected so that tests can set it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time, injected."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return time.monotonic()  # noqa: TID251 - this is the clock

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock
