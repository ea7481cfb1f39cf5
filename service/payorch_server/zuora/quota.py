"""How much of Zuora's limits is left, as its answers tell, and when it will be used up at today's pace.

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
    """What an answer said of one limit."""

    left: float
    at_s: float
    """When, on the monotonic clock."""
    reset_s: float
    """When the limit starts anew; 0 when that was not said."""
    pace: float
    """Used up a second, since the window began or since the answer before."""


class Quota:
    """The limits of all tenants, as last heard."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], LimitReading] = {}

    def update(self, tenant: str, headers: Mapping[str, str], *, now_s: float) -> None:
        """Note what an answer's headers say.

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
            before = self._known.get((tenant, limit))
            self._known[tenant, limit] = LimitReading(left, now_s, reset_s, _pace(before, left, now_s))

    def left(self, *, now_s: float) -> dict[tuple[str, str], float]:
        """Return what is left by tenant and limit, of what was heard lately."""
        return {place: one.left for place, one in self._known.items() if _is_fresh(one, now_s)}

    def exhaustion_s(self, *, now_s: float) -> dict[tuple[str, str], float]:
        """Return in how many seconds a limit will be used up, for those that will be before they start anew."""
        found = {}
        for (tenant, limit), one in self._known.items():
            if limit != RATE or one.pace <= 0 or not _is_fresh(one, now_s):
                continue
            ends_s = one.at_s + one.left / one.pace
            if not one.reset_s or ends_s < one.reset_s:
                found[tenant, limit] = max(ends_s - now_s, 0.0)
        return found


def _is_fresh(one: LimitReading, now_s: float) -> bool:
    """Tell whether what was heard still says something: the limit has not started anew, and it is not long ago."""
    return now_s - one.at_s <= _FRESH_S and not 0 < one.reset_s <= now_s


def _pace(before: LimitReading | None, left: float, now_s: float) -> float:
    """Return how fast a limit is used up, smoothed; a limit that has started anew begins with what was known."""
    if before is None:
        return 0.0
    elapsed_s = now_s - before.at_s
    if left > before.left or elapsed_s <= 0:
        return before.pace
    weight = min(elapsed_s / 60.0, 1.0)
    return before.pace * (1 - weight) + (before.left - left) / elapsed_s * weight


def _number(text: str | None) -> float | None:
    """Return the number that a header begins with."""
    digits = (text or "").partition(",")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() else None
