"""A clock that moves only when a test moves it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(slots=True)
class FakeClock:
    """A clock whose two hands move together."""

    elapsed_s: float = 1000.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.elapsed_s += seconds

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.elapsed_s

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return START + timedelta(seconds=self.elapsed_s - 1000.0)
