"""When a call is sent again: a state machine that neither sends nor sleeps.

It follows the advice of the service alone, and never makes an outcome more certain than the least certain attempt.
"""

import enum
import math
import threading
from dataclasses import dataclass, field
from typing import Final

import grpc

from payorch.call_error import CallError
from payorch.timing import Timing
from payorch.v1 import call_pb2

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 8.0
_MOST_DOUBLINGS: Final = 10
_LEAST_ATTEMPT_S: Final = 1.0
"""An attempt with less time left could only make the outcome less certain."""
_MOST_TOKENS: Final = 10.0
_TOKENS_OF_SUCCESS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Resend:
    """How often and for how long a call is sent again under its request id, where the service advises it.

    Raises:
        ValueError: A number is out of its range.
    """

    attempts: int = 4
    """How often a call is sent in total; at least 1."""
    within_s: float = 20.0
    """How long a call takes at most with all its attempts and waits, unless it is given a deadline."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.attempts < 1:
            raise ValueError(f"attempts: {self.attempts} is less than 1")
        if not (math.isfinite(self.within_s) and self.within_s > 0):
            raise ValueError(f"within_s: {self.within_s} is not a positive number of seconds")


class Budget:
    """Stops resends while many calls of a client fail, as gRPC's own retry throttling does. For many threads."""

    def __init__(self) -> None:
        """Start with a full budget."""
        self._tokens = _MOST_TOKENS
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """Count a success."""
        with self._lock:
            self._tokens = min(_MOST_TOKENS, self._tokens + _TOKENS_OF_SUCCESS)

    def allows_resend(self) -> bool:
        """Count a failure; return whether it may be sent again."""
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1)
            return self._tokens > _MOST_TOKENS / 2


class Next(enum.Enum):
    """What follows a failed attempt."""

    END = enum.auto()
    WAIT_AND_SEND = enum.auto()
    REFRESH_TOKEN_AND_SEND = enum.auto()


@dataclass(slots=True)
class ResendLoop:
    """The attempts of one call."""

    policy: Resend | None
    """None: a call is sent once, and once more with a fresh token."""
    budget: Budget
    timing: Timing
    deadline_s: float
    """On the clock of the timing."""
    can_refresh: bool
    """Whether there is a supplier of tokens."""
    attempts: list[CallError] = field(default_factory=list)
    """How the attempts ended, in their order."""
    doubt: CallError | None = None
    """The newest attempt that may have been executed."""
    _counted: int = 1
    _refreshed: bool = False
    _resend_before_s: float = math.inf

    def remaining_s(self) -> float:
        """Return the time that is left; 0 when there is none."""
        return max(0.0, self.deadline_s - self.timing.monotonic_s())

    def after(self, error: CallError) -> tuple[Next, float]:
        """Return what follows an attempt that failed, and after how many seconds."""
        self.attempts.append(error)
        if error.outcome == call_pb2.OUTCOME_UNKNOWN:
            self.doubt = error
        if error.resend_before_time is not None:
            self._resend_before_s = min(self._resend_before_s, error.resend_before_time.timestamp())
        # A wrong credential is never sent twice.
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            return self._after_wrong_credential()
        # Its caller has given it up.
        if error.code is grpc.StatusCode.CANCELLED:
            return Next.END, 0.0
        if self.policy is None or error.advice != call_pb2.ADVICE_RESEND_SAME_REQUEST_ID:
            return Next.END, 0.0
        if not self.budget.allows_resend() or self._counted >= self.policy.attempts:
            return Next.END, 0.0
        wait_s = max(0.0, error.retry_delay_s or 0.0) + self.timing.uniform(0, self._most_jitter_s())
        if not self._in_time(wait_s):
            return Next.END, 0.0
        self._counted += 1
        return Next.WAIT_AND_SEND, wait_s

    def raised(self) -> CallError:
        """Return the error of the call: the newest, unless it says nothing of an earlier attempt that is in doubt."""
        newest = self.attempts[-1]
        return self.doubt if self.doubt and newest.outcome == call_pb2.OUTCOME_NOT_SENT else newest

    def _after_wrong_credential(self) -> tuple[Next, float]:
        if not self.can_refresh or self._refreshed or not self._in_time(0.0):
            return Next.END, 0.0
        self._refreshed = True
        return Next.REFRESH_TOKEN_AND_SEND, 0.0

    def _most_jitter_s(self) -> float:
        return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(self._counted - 1, _MOST_DOUBLINGS))

    def _in_time(self, wait_s: float) -> bool:
        in_deadline = wait_s + _LEAST_ATTEMPT_S <= self.remaining_s()
        return in_deadline and self.timing.unix_s() + wait_s < self._resend_before_s
