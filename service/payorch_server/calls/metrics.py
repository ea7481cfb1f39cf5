"""Metrics of calls and of executions of intents. Every attribute has few values, whatever callers send."""

from collections import OrderedDict
from typing import Final

from opentelemetry.metrics import Meter, Observation

from payorch_server.calls.recording import CallRecord
from payorch_server.model.identifiers import RESEND_LIMIT, IdempotencyKey
from payorch_server.model.outcome import VERDICTS, Outcome, Reason
from payorch_server.runtime.clock import Clock
from payorch_server.telemetry.instruments import CheapCounter, observe

_MAX_UNSETTLED: Final = 10_000
_ROUTE_REFUSALS: Final = frozenset(
    {Reason.ROUTE_NOT_FOUND.name, Reason.ROUTE_HINT_UNKNOWN.name, Reason.ROUTE_HINT_CONTRADICTED.name}
)
_DENIALS: Final = frozenset(
    {Reason.CALLER_NOT_PERMITTED.name, Reason.CALLER_UNAUTHENTICATED.name, Reason.CALLER_KEYS_UNAVAILABLE.name}
)
_OUTCOME: Final = ("rpc", "tenant", "outcome", "reason")
_COUNTERS: Final = (
    ("payorch.calls", _OUTCOME, "{call}", "Ended calls, by outcome."),
    ("payorch.executions", _OUTCOME, "{execution}", "Ended executions of intents, whether or not a caller waited."),
    ("payorch.intents", ("rpc", "disposition"), "{call}", "Calls, by how they met their intent."),
    ("payorch.route.decisions", ("tenant", "rule", "result"), "{decision}", "Routed and refused calls, by rule."),
    ("payorch.access.decisions", ("decision", "right"), "{decision}", "Allowed and denied calls, by missing right."),
    ("payorch.replays", ("tenant",), "{answer}", "Answers that were made for an earlier call."),
)


class CallMetrics:
    """Counts ended calls and executions."""

    def __init__(self, meter: Meter, *, clock: Clock) -> None:
        self._unsettled = _UnsettledIntents(meter, clock)
        self._calls, self._executions, self._intents, self._routes, self._access, self._replays = (
            CheapCounter(meter, name, attributes, unit=unit, description=description)
            for name, attributes, unit, description in _COUNTERS
        )

    def count_call(self, record: CallRecord) -> None:
        """Count a call."""
        route = record.route
        self._calls.add(record.rpc, route.tenant, record.outcome, record.reason)
        if record.intent:
            self._intents.add(record.rpc, record.intent)
        elif record.reason == Reason.INTENT_MISMATCH.name:
            self._intents.add(record.rpc, "refused")
        if record.reason in _ROUTE_REFUSALS:
            self._routes.add("", "", "refused")
        elif route.rule:
            self._routes.add(route.tenant, route.rule, "routed")
        if record.reason in _DENIALS:
            self._access.add("denied", record.right or "identity")
        elif route.rule:
            self._access.add("allowed", "")
        if record.executed_track_id and record.executed_track_id != record.track_id:
            self._replays.add(route.tenant)

    def count_refusal(self, rpc: str, reason: Reason) -> None:
        """Count a call that was refused before it was received."""
        self._calls.add(rpc, "", VERDICTS[reason].outcome.name, reason.name)

    def count_execution(self, record: CallRecord, key: IdempotencyKey) -> None:
        """Count an execution of an intent, and note whether the intent is settled."""
        self._executions.add(record.rpc, record.route.tenant, record.outcome, record.reason)
        self._unsettled.note_execution(key, is_unknown=record.outcome == Outcome.UNKNOWN.name)


class _UnsettledIntents:
    """The intents of this process whose last execution ended UNKNOWN, and that no execution has settled since."""

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self._clock = clock
        self._since_s: OrderedDict[IdempotencyKey, float] = OrderedDict()
        observe(
            meter,
            "payorch.intents.unsettled",
            lambda: [Observation(self._count())],
            unit="{intent}",
            description="Intents of this process whose last execution ended UNKNOWN, not settled since.",
        )
        observe(
            meter,
            "payorch.intents.unsettled.age",
            lambda: [Observation(self._age_of_oldest_s())],
            unit="s",
            description="For how long the oldest of them has been unsettled.",
        )

    def note_execution(self, key: IdempotencyKey, *, is_unknown: bool) -> None:
        if not is_unknown:
            self._since_s.pop(key, None)
            return
        self._since_s.setdefault(key, self._clock.monotonic())
        if len(self._since_s) > _MAX_UNSETTLED:
            self._since_s.popitem(last=False)

    def _count(self) -> int:
        """Return how many there are, without those that can no longer be resent: an alert has handed them to people."""
        while self._since_s and self._age_of_oldest_s() > RESEND_LIMIT.total_seconds():
            self._since_s.popitem(last=False)
        return len(self._since_s)

    def _age_of_oldest_s(self) -> float:
        oldest_s = next(iter(self._since_s.values()), None)
        return 0.0 if oldest_s is None else self._clock.monotonic() - oldest_s
