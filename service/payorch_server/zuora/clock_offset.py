"""How far Zuora's clock is ahead of ours, judged by the Date of its answers.

Time guards intents: nothing is sent again more than 23 hours after its first send. Either clock may be the wrong one.
"""

import statistics
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from payorch_server.model.errors import call_error
from payorch_server.model.identifiers import RESEND_LIMIT
from payorch_server.model.outcome import Reason
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import ignore
from payorch_server.zuora.messages import HttpResponse
from payorch_server.zuora.response_headers import http_date_s
from payorch_server.zuora.settings import ZuoraHttpSettings

TOKEN_OPERATION: Final = "token"  # noqa: S105 - not a password
"""The name under which answers of the token endpoint count."""
# One answer may come from a machine whose clock is wrong, or from a cache; so may all answers of one operation.
_ANSWERS: Final = 3
_OPERATIONS: Final = 2
_DEFAULT_LIMIT_S: Final = ZuoraHttpSettings().max_clock_offset_s
# A Date has no fractions: it names the second that had begun.
_RESOLUTION_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What one answer shows of Zuora's clock."""

    zuora_s: float
    """Zuora's time when the answer arrived, Unix time: the middle of what is possible."""
    offset_s: float
    """How far that is ahead of ours."""
    uncertainty_s: float
    """How far both may be from the truth: the Date was written at any moment between request and answer."""


def date_s(answer: HttpResponse) -> float | None:
    """Return the Date of an answer, Unix time, or None if it has none that can be read."""
    return http_date_s(answer.headers.get("date", ""))


def read_clock(answer: HttpResponse, *, received_at_s: float, duration_s: float) -> ClockReading | None:
    """Return what an answer shows of Zuora's clock; None without a Date.

    Args:
        answer: Zuora's, or that of an edge before it.
        received_at_s: When it arrived, by our clock, Unix time.
        duration_s: From the begin of the request until then.
    """
    stated_s = date_s(answer)
    if stated_s is None:
        return None
    uncertainty_s = (_RESOLUTION_S + max(duration_s, 0.0)) / 2
    zuora_s = stated_s + uncertainty_s
    return ClockReading(zuora_s, zuora_s - received_at_s, uncertainty_s)


class ClockOffset:
    """The clock of one tenant, after all its answers so far."""

    def __init__(self, *, max_offset_s: float) -> None:
        self._max_offset_s = max_offset_s
        self._in_a_row = 0
        self._operations: set[str] = set()
        # Zuora's time less our monotonic clock, which no correction of the time of day changes.
        self._ahead_of_monotonic_s: deque[float] = deque(maxlen=_ANSWERS)
        self.too_large = False
        """Whether three answers in a row, of two operations, were beyond the limit, and none within it since."""

    def __repr__(self) -> str:
        return f"ClockOffset(too_large={self.too_large}, {self._in_a_row} answers beyond the limit)"

    def note(self, reading: ClockReading, *, operation: str, monotonic_s: float) -> None:
        """Judge one more answer.

        Args:
            reading: What it shows.
            operation: Whose answer it is.
            monotonic_s: When it arrived, on the monotonic clock.
        """
        self._ahead_of_monotonic_s.append(reading.zuora_s - monotonic_s)
        # 1. It may lie within the limit, and most likely does: everything before it is disproved.
        if abs(reading.offset_s) <= self._max_offset_s:
            self._in_a_row, self.too_large = 0, False
            self._operations.clear()
        # 2. It lies beyond, however long the request took. What may lie on either side proves nothing.
        elif abs(reading.offset_s) - reading.uncertainty_s > self._max_offset_s:
            self._in_a_row += 1
            self._operations.add(operation)
            self.too_large |= self._in_a_row >= _ANSWERS and len(self._operations) >= _OPERATIONS

    def now_s(self, monotonic_s: float) -> float | None:
        """Return Zuora's time now, Unix time, as its last three answers show it; None before the first."""
        if not self._ahead_of_monotonic_s:
            return None
        return statistics.median_low(self._ahead_of_monotonic_s) + monotonic_s


class ClockOffsets:
    """The clocks of all tenants."""

    def __init__(
        self,
        *,
        clock: Clock,
        max_offset_s: float = _DEFAULT_LIMIT_S,
        changed: Callable[[str, ClockOffset], None] = ignore,
    ) -> None:
        """Know nothing yet.

        Args:
            clock: Ours.
            max_offset_s: How far Zuora's may be from it.
            changed: Called with a tenant and its judgement whenever its offset becomes too large, or ceases to be.
        """
        self._clock = clock
        self._max_offset_s = max_offset_s
        self._changed = changed
        self._by_tenant = defaultdict[str, ClockOffset](lambda: ClockOffset(max_offset_s=max_offset_s))

    def __repr__(self) -> str:
        return f"ClockOffsets({', '.join(self.too_large_for) or 'none'} too large)"

    def note(self, tenant: str, answer: HttpResponse, *, operation: str, duration_s: float) -> None:
        """Judge an answer that has just arrived, if it has a Date.

        Args:
            tenant: Whose answer it is; empty for one that is not configured any more.
            answer: Any answer, a failure as well.
            operation: Of Zuora's, or TOKEN_OPERATION.
            duration_s: From the begin of the request until now.
        """
        reading = read_clock(answer, received_at_s=self._clock.now().timestamp(), duration_s=duration_s)
        if reading is None or not tenant:
            return
        offset = self._by_tenant[tenant]
        before = offset.too_large
        offset.note(reading, operation=operation, monotonic_s=self._clock.monotonic())
        if offset.too_large is not before:
            self._changed(tenant, offset)

    def too_large(self, tenant: str) -> bool:
        """Return whether money is refused for a tenant because time cannot guard it."""
        return tenant in self._by_tenant and self._by_tenant[tenant].too_large

    @property
    def too_large_for(self) -> tuple[str, ...]:
        """The tenants whose money is refused."""
        return tuple(name for name, offset in self._by_tenant.items() if offset.too_large)

    def now_s(self, tenant: str) -> float | None:
        """Return Zuora's time now, Unix time, as far as a tenant's answers have shown it."""
        offset = self._by_tenant.get(tenant)
        return offset.now_s(self._clock.monotonic()) if offset else None

    def answered_at_s(self, tenant: str, answer: HttpResponse | None) -> float:
        """Return when an answer was written at the latest, Unix time: by its Date, or by the clock that is ahead."""
        stated_s = date_s(answer) if answer is not None else None
        if stated_s is not None:
            return stated_s + _RESOLUTION_S
        return max(self._clock.now().timestamp(), self.now_s(tenant) or 0.0)

    def check_age(self, tenant: str, first_send_s: float | None, *, doubtful: bool) -> None:
        """Refuse to send an intent that Zuora may have forgotten, or whose age cannot be told.

        Args:
            tenant: Where it would be sent.
            first_send_s: Before which nothing of it was sent, by the clocks that were known when it was opened; None
                where its age does not matter.
            doubtful: Whether it may have been sent.

        Raises:
            CallError: It is too old by Zuora's clock; UNKNOWN. Or the clocks differ, so that its age is not known, and
                nothing is in doubt yet; or it was opened by a clock that was ahead, before any answer of Zuora could
                show that; NOT_SENT.
        """
        zuora_s = self.now_s(tenant)
        if zuora_s is None or first_send_s is None:
            return
        local_s, limit_s = self._clock.now().timestamp(), RESEND_LIMIT.total_seconds()
        if zuora_s - first_send_s > limit_s:
            # New by our clock, and never sent: it is given up and may be sent as soon as the clocks agree.
            if not doubtful and local_s - first_send_s <= limit_s and zuora_s - local_s > self._max_offset_s:
                detail = "opened by a clock that is behind Zuora's"
                raise call_error(Reason.CLOCK_OFFSET_TOO_LARGE, detail, tenant=tenant)
            raise call_error(Reason.INTENT_EXPIRED, "first sent more than 23 hours ago by Zuora's clock")
        if first_send_s - zuora_s > self._max_offset_s:
            detail = "opened by a clock that is ahead of Zuora's"
            raise call_error(Reason.CLOCK_OFFSET_TOO_LARGE, detail, tenant=tenant)

    def offsets_s(self) -> Mapping[str, float]:
        """Return how far Zuora's clock is ahead of ours, by tenant, for those that have answered."""
        local_s = self._clock.now().timestamp()
        times = {name: self.now_s(name) for name in self._by_tenant}
        return {name: zuora_s - local_s for name, zuora_s in times.items() if zuora_s is not None}

    def keep(self, tenants: tuple[str, ...]) -> None:
        """Forget all tenants but these."""
        for name in [name for name in self._by_tenant if name not in tenants]:
            del self._by_tenant[name]
