"""Whether a failed attempt is retried under the same key, and when: a pure decision.

Zuora's Retry-After comes first, then what the failure proves, then time and budget. An answer that Zuora stored is
never followed by a retry: under the same key Zuora would only repeat it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from payorch_server.model.outcome import Reason

MAX_ATTEMPTS: Final = 3
_BASE_S: Final = 0.1
_CAP_S: Final = 2.0
# What is still running at Zuora needs seconds rather than milliseconds.
_IN_PROGRESS_BASE_S: Final = 0.5

# The attempt executed nothing, or it may have and a resend under the same key settles it.
RETRYABLE: Final = frozenset(
    {
        Reason.UPSTREAM_UNREACHABLE,
        Reason.UPSTREAM_NO_ANSWER,
        Reason.UPSTREAM_EDGE_FAILED,
        Reason.UPSTREAM_IN_PROGRESS,
        Reason.UPSTREAM_THROTTLED,
        Reason.UPSTREAM_CREDENTIALS_REJECTED,
        Reason.EARLIER_ATTEMPT_UNSETTLED,
    }
)


def is_retryable(reason: Reason, *, cut_off: bool = False) -> bool:
    """Return whether another attempt under the same key can help; an answer that broke off may then arrive whole."""
    return reason in RETRYABLE or (cut_off and reason is Reason.UPSTREAM_ANSWER_UNREADABLE)


@dataclass(frozen=True, slots=True)
class RetryState:
    """What the decision is made from."""

    reason: Reason
    attempts: int
    """Attempts so far in this execution, with the failed one, also those that failed before they were sent."""
    remaining_s: float
    """Until the execution's deadline, less the minimum that an attempt needs."""
    budget_left: bool
    """Whether the tenant's retry budget allows another attempt."""
    retry_after_s: float | None = None
    """What Zuora's answer demands; None if nothing."""
    cut_off: bool = False
    """Whether the answer broke off."""


def wait_before_retry(
    state: RetryState, *, uniform: Callable[[float, float], float], max_attempts: int = MAX_ATTEMPTS
) -> float | None:
    """Return how long to wait before the next attempt, or None to give up.

    Args:
        state: What is known.
        uniform: Draws from an interval; full jitter keeps callers apart.
        max_attempts: How many attempts a call has, with the first.
    """
    if not is_retryable(state.reason, cut_off=state.cut_off) or state.attempts >= max_attempts or not state.budget_left:
        return None
    # One new token is worth a try; a second refusal is about the credentials.
    if state.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED and state.attempts > 1:
        return None
    wait_s = _backoff(state, uniform)
    if state.retry_after_s is not None:
        wait_s += state.retry_after_s
    return wait_s if wait_s < state.remaining_s else None


def _backoff(state: RetryState, uniform: Callable[[float, float], float]) -> float:
    # A refused token is replaced by then, so there is nothing to wait for.
    if state.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED:
        return 0.0
    base_s = _IN_PROGRESS_BASE_S if state.reason is Reason.UPSTREAM_IN_PROGRESS else _BASE_S
    ceiling_s: float = min(_CAP_S, base_s * 2**state.attempts)
    return uniform(0.0, ceiling_s)


class RetryBudget:
    """A tenant's allowance for retries, so that retries do not multiply the load on a failing Zuora.

    Like gRPC's retry throttling: each failure that a retry could help takes a whole, each success gives back a tenth,
    and below half there are no retries.
    """

    MAX: Final = 20.0
    _GIVEN_BACK: Final = 0.1

    def __init__(self) -> None:
        self.left = self.MAX

    def __repr__(self) -> str:
        return f"RetryBudget({self.left:.1f} of {self.MAX:.0f})"

    @property
    def allows(self) -> bool:
        """Whether a retry may be made."""
        return self.left > self.MAX / 2

    def note_failure(self) -> None:
        """Note a failure that a retry can help."""
        self.left = max(self.left - 1.0, 0.0)

    def note_success(self) -> None:
        """Note a success."""
        self.left = min(self.left + self._GIVEN_BACK, self.MAX)
