from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock of the service that moves only when told."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed_s

    def now(self) -> datetime:
        """The time of day."""
        return datetime(2026, 11, 20, 12, tzinfo=UTC) + timedelta(seconds=self._elapsed_s)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed_s += seconds
