"""How much of Zuora's limits is left, from the headers of its answers; an alert predicts when a limit is exhausted.

Source: Zuora, "Rate and concurrent request limits": headers RateLimit-Limit, -Remaining, -Reset and
Concurrency-Limit-Limit, -Remaining (read 2026-11-20).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from payorch_server.zuora.concurrency import LimiterKey

_FRESH_S = 300.0
RATE, CONCURRENCY = "rate", "concurrency"
# The headers of what is left, of the limit, and of the seconds until it is renewed.
_HEADERS = {
    RATE: ("ratelimit-remaining", "ratelimit-limit", "ratelimit-reset"),
    CONCURRENCY: ("concurrency-limit-remaining", "concurrency-limit-limit", ""),
}


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What an answer reported about a limit."""

    left: float
    at_s: float
    """When, on the monotonic clock."""
    limit: float | None
    """How much there is in all; None when it was not reported."""
    reset_s: float | None
    """When the limit's window ends, on the same clock; None when it was not reported."""


class Quota:
    """The last readings of all tenants and entities."""

    def __init__(self) -> None:
        self._readings: dict[tuple[LimiterKey, str], LimitReading] = {}

    def update(self, key: LimiterKey, headers: Mapping[str, str], *, now_s: float) -> None:
        """Note the readings in an answer's headers.

        Args:
            key: Tenant and entity of the call.
            headers: By lower-case name.
            now_s: On the monotonic clock.
        """
        for name, (remaining, limit, reset) in _HEADERS.items():
            left = _number(headers.get(remaining))
            if left is None:
                continue
            reset_in_s = _number(headers.get(reset))
            reset_s = now_s + reset_in_s if reset_in_s is not None else None
            self._readings[key, name] = LimitReading(left, now_s, _number(headers.get(limit)), reset_s)

    def of(self, key: LimiterKey, name: str, *, now_s: float) -> LimitReading | None:
        """Return the last reading of a limit of a tenant's entity, or None if there is no fresh one."""
        reading = self._readings.get((key, name))
        return reading if reading and _is_fresh(reading, now_s) else None

    def left(self, *, now_s: float) -> dict[tuple[str, str], float]:
        """Return what is left by tenant and limit, of fresh readings: of the entity that has least left."""
        least: dict[tuple[str, str], float] = {}
        for ((tenant, _), name), reading in self._readings.items():
            if _is_fresh(reading, now_s):
                least[tenant, name] = min(reading.left, least.get((tenant, name), reading.left))
        return least


def _is_fresh(reading: LimitReading, now_s: float) -> bool:
    """Return whether a reading still holds: it is recent, and its window is still open."""
    return now_s - reading.at_s <= _FRESH_S and (reading.reset_s is None or now_s < reading.reset_s)


def _number(text: str | None) -> float | None:
    """Return the number that a header begins with."""
    digits = (text or "").partition(",")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() else None
