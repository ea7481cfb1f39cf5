"""Circuit breakers: calls to a tenant's entity are refused before they are sent where Zuora has stopped answering.

A refused call may be resent at once; one that is sent into silence stays UNKNOWN, and holds its slot until its time is
up. A breaker counts failures of the way to Zuora alone. Any answer of Zuora closes it, a refusal as well.
"""

import enum
import math
from typing import Final

import structlog

from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, error_for
from payorch_server.model.outcome import Reason
from payorch_server.zuora.concurrency import LimiterKey

_LOG: Final = structlog.get_logger("payorch.zuora")

MIN_FAILURES: Final = 10
"""Failed executions in a row that open a breaker: more than a few slow calls."""
MIN_SILENCE_S: Final = 10.0
"""How far apart the first and the last of them are at least: a load balancer that restarts cuts many calls at once."""
OPEN_S: Final = 10.0
"""How long an open breaker refuses every call before it lets one try."""
PROBE_S: Final = 30.0
"""When another call may try if the one before has not ended. A call can take 55 s, and a recovery should be noticed
sooner; but each probe into silence leaves an intent in doubt."""
_FAILURES: Final = frozenset({Reason.UPSTREAM_UNREACHABLE, Reason.UPSTREAM_NO_ANSWER, Reason.UPSTREAM_EDGE_FAILED})


class CircuitState(enum.Enum):
    """Whether calls are sent; the values are those of the metric."""

    CLOSED = 0
    """All are."""
    HALF_OPEN = 1
    """One is on its way to find out; the others are refused."""
    OPEN = 2
    """None is."""


class CircuitBreaker:
    """The breaker of one tenant and entity. Its methods have the time, in seconds of the monotonic clock, as now_s."""

    def __init__(self) -> None:
        self.state = CircuitState.CLOSED
        """Whether calls are sent."""
        self._answered_s = -math.inf
        self._failures = 0
        self._first_failure_s = 0.0
        self._probing_since_s = math.inf
        self._next_probe_s = 0.0

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.state.name}, {self._failures} failures)"

    def wait_s(self, *, now_s: float) -> float:
        """Return how long no call may be sent; 0 if one may."""
        return 0.0 if self.state is CircuitState.CLOSED else max(self._next_probe_s - now_s, 0.0)

    def begin_probe(self, *, now_s: float) -> None:
        """Note that a call is sent to find out whether Zuora answers again."""
        self.state = CircuitState.HALF_OPEN
        self._probing_since_s, self._next_probe_s = now_s, now_s + PROBE_S

    def note_answer(self, *, now_s: float) -> None:
        """Note an answer of Zuora, whatever it said and whenever its call was sent."""
        self.state = CircuitState.CLOSED
        self._answered_s, self._failures, self._probing_since_s = now_s, 0, math.inf

    def note_failure(self, *, sent_s: float, now_s: float) -> None:
        """Note that a call failed on the way to Zuora.

        Args:
            sent_s: When it was sent. What was sent before the last answer, or before the probe, is no news.
            now_s: When it failed.
        """
        if self.state is not CircuitState.CLOSED:
            if sent_s >= self._probing_since_s:
                self._open(now_s)
            return
        if sent_s < self._answered_s:
            return
        if not self._failures:
            self._first_failure_s = now_s
        self._failures += 1
        if self._failures >= MIN_FAILURES and now_s - self._first_failure_s >= MIN_SILENCE_S:
            self._open(now_s)

    def _open(self, now_s: float) -> None:
        self.state = CircuitState.OPEN
        self._probing_since_s, self._next_probe_s = math.inf, now_s + OPEN_S


class CircuitBreakers:
    """The breakers of this process, by tenant and entity; they outlive changes of the policy."""

    def __init__(self) -> None:
        # For every key that was ever used; the configuration names them, so there are few.
        self._breakers: dict[LimiterKey, CircuitBreaker] = {}

    def __repr__(self) -> str:
        broken = sum(1 for breaker in self._breakers.values() if breaker.state is not CircuitState.CLOSED)
        return f"CircuitBreakers({len(self._breakers)}, {broken} not closed)"

    def state(self, key: LimiterKey) -> CircuitState:
        """Return whether calls to a tenant's entity are sent."""
        breaker = self._breakers.get(key)
        return breaker.state if breaker else CircuitState.CLOSED

    def wait_s(self, key: LimiterKey, *, now_s: float) -> float:
        """Return how long no call to a tenant's entity may be sent; 0 if one may."""
        breaker = self._breakers.get(key)
        return breaker.wait_s(now_s=now_s) if breaker else 0.0

    def check(self, key: LimiterKey, *, now_s: float) -> None:
        """Refuse an execution that could not be sent now.

        Args:
            key: Tenant and entity of the call.
            now_s: On the monotonic clock.

        Raises:
            CallError: The circuit is broken; NOT_SENT, with the time after which a call may try.
        """
        wait_s = self.wait_s(key, now_s=now_s)
        if wait_s > 0:
            raise _refusal(key[0], wait_s)

    def admit(self, key: LimiterKey, *, now_s: float) -> None:
        """Admit an execution whose first request is sent now; in a broken circuit it is the probe.

        Args:
            key: Tenant and entity of the call.
            now_s: On the monotonic clock.

        Raises:
            CallError: It may not be sent; NOT_SENT, with the time after which another call may try.
        """
        self.check(key, now_s=now_s)
        breaker = self._of(key)
        if breaker.state is not CircuitState.CLOSED:
            breaker.begin_probe(now_s=now_s)

    def note(
        self, key: LimiterKey, error: CallError | None, *, answered: bool, is_first: bool, sent_s: float, now_s: float
    ) -> None:
        """Note what came of an attempt.

        Args:
            key: Tenant and entity of the call.
            error: What it means; None for a success.
            answered: Whether there was an answer, be it of an edge.
            is_first: Whether it is the first of its execution: of an execution, one failure counts.
            sent_s: When it was sent, on the monotonic clock.
            now_s: When it ended.
        """
        breaker = self._of(key)
        before = breaker.state
        if error is not None and error.failure.reason in _FAILURES and not error.failure.evidence.zuora_codes:
            if is_first:
                breaker.note_failure(sent_s=sent_s, now_s=now_s)
        elif answered:
            breaker.note_answer(now_s=now_s)
        if breaker.state is not before:
            _report(key, before, breaker.state)

    def _of(self, key: LimiterKey) -> CircuitBreaker:
        return self._breakers.setdefault(key, CircuitBreaker())


def _report(key: LimiterKey, before: CircuitState, after: CircuitState) -> None:
    """Log that a breaker has opened or closed; a probe that fails changes nothing."""
    if after is CircuitState.CLOSED:
        _LOG.info("circuit_closed", tenant=key[0], entity_id=key[1])
    elif before is CircuitState.CLOSED:
        _LOG.warning("circuit_opened", tenant=key[0], entity_id=key[1], open_s=OPEN_S)


def _refusal(tenant: str, wait_s: float) -> CallError:
    detail = f"Zuora has not answered calls to {tenant}; another may try in {wait_s:.1f} s"
    evidence = UpstreamEvidence(retry_after_s=wait_s)
    return error_for(Failure(Reason.UPSTREAM_CIRCUIT_OPEN, detail, metadata={"tenant": tenant}, evidence=evidence))
