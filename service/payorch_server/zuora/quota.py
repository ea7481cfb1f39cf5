"""How much of Zuora's limits is left, from the headers of its answers; an alert predicts when a limit is exhausted.

Source: Zuora, "Rate and concurrent request limits": headers RateLimit-Limit, -Remaining, -Reset and
Concurrency-Limit-Limit, -Remaining (read 2026-11-20).
"""

from collections.abc import Mapping
from dataclasses import dataclass

_FRESH_S = 300.0
RATE, CONCURRENCY = "rate", "concurrency"
_HEADERS = {
    RATE: ("ratelimit-remaining", "ratelimit-reset"),
    CONCURRENCY: ("concurrency-limit-remaining", ""),
}


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What an answer reported about a limit."""

    left: float
    at_s: float
    """When, on the monotonic clock."""
    reset_s: float
    """When the limit's window ends, on the same clock; 0 when it was not reported."""


class Quota:
    """The last readings of all tenants."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, str], LimitReading] = {}

    def update(self, tenant: str, headers: Mapping[str, str], *, now_s: float) -> None:
        """Note the readings in an answer's headers.

        Args:
            tenant: Whose limits.
            headers: By lower-case name.
            now_s: On the monotonic clock.
        """
        for limit, (remaining, reset) in _HEADERS.items():
            left = _number(headers.get(remaining))
            if left is None:
                continue
            reset_in_s = _number(headers.get(reset))
            reset_s = now_s + reset_in_s if reset_in_s is not None else 0.0
            self._readings[tenant, limit] = LimitReading(left, now_s, reset_s)

    def left(self, *, now_s: float) -> dict[tuple[str, str], float]:
        """Return what is left by tenant and limit, of fresh readings."""
        return {key: reading.left for key, reading in self._readings.items() if _is_fresh(reading, now_s)}


def _is_fresh(reading: LimitReading, now_s: float) -> bool:
    """Return whether a reading still holds: it is recent, and its window is still open."""
    return now_s - reading.at_s <= _FRESH_S and not 0 < reading.reset_s <= now_s


def _number(text: str | None) -> float | None:
    """Return the number that a header begins with."""
    digits = (text or "").partition(",")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() else None
