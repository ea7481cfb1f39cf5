"""Whether a failed attempt is followed by another one of the same key, and when: a pure decision.

Zuora's verdict comes first (Retry-After), then what the failure proves, then time and budget. A recorded answer is
never followed by another send: with the same key Zuora would only repeat it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from payorch_server.model.outcome import Reason

MAX_ATTEMPTS: Final = 3
_BASE_S: Final = 0.1
_CAP_S: Final = 2.0
# An execution that is still running needs seconds rather than milliseconds.
_IN_PROGRESS_BASE_S: Final = 0.5

# Nothing was executed by this attempt, or it may have been and resending the same key settles it.
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


@dataclass(frozen=True, slots=True)
class RetryState:
    """What is known when an attempt has failed."""

    reason: Reason
    attempts: int
    """Tries so far in this flight, the failed one included, whether or not they got beyond the token endpoint."""
    remaining_s: float
    """Until the flight's deadline, what an attempt needs at least taken off."""
    budget_left: bool
    """Whether the tenant's retry budget allows another attempt."""
    retry_after_s: float | None = None
    """What Zuora asked for."""


def wait_before_retry(
    tried: RetryState, *, uniform: Callable[[float, float], float], max_attempts: int = MAX_ATTEMPTS
) -> float | None:
    """Return how long to wait before the next attempt, or None to give up.

    Args:
        tried: What is known.
        uniform: Draws from an interval; full jitter keeps callers apart.
        max_attempts: How many tries a call has, its first one included.
    """
    if tried.reason not in RETRYABLE or tried.attempts >= max_attempts or not tried.budget_left:
        return None
    # One new token is worth a try; a second refusal is about the credentials.
    if tried.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED and tried.attempts > 1:
        return None
    wait_s = _backoff(tried, uniform)
    if tried.retry_after_s is not None:
        wait_s += tried.retry_after_s
    return wait_s if wait_s < tried.remaining_s else None


def _backoff(tried: RetryState, uniform: Callable[[float, float], float]) -> float:
    # A refused token is replaced by then, so there is nothing to wait for.
    if tried.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED:
        return 0.0
    base_s = _IN_PROGRESS_BASE_S if tried.reason is Reason.UPSTREAM_IN_PROGRESS else _BASE_S
    ceiling_s: float = min(_CAP_S, base_s * 2**tried.attempts)
    return uniform(0.0, ceiling_s)


class RetryBudget:
    """A tenant's allowance for retries, so that a failing Zuora is not met with a multiple of the load.

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

    def failed(self) -> None:
        """Note an attempt that failed in a way that a retry could help."""
        self.left = max(self.left - 1.0, 0.0)

    def succeeded(self) -> None:
        """Note an answer of Zuora's."""
        self.left = min(self.left + self._GIVEN_BACK, self.MAX)
