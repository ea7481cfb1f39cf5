"""What a double of the service answers: by plan, by record, or by executing."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import grpc

from payorch.rpcs import DIAGNOSTICS, GET_INTENT, Rpc
from payorch.testing.answers import broken_rules, executed
from payorch.testing.catalogue import Failure
from payorch.testing.recorded import OPERATIONS, Record, RecordedCall, intent_of
from payorch.v1 import call_pb2


@dataclass(frozen=True, slots=True)
class Nothing:
    """An error without details, as a proxy makes it."""

    code: grpc.StatusCode
    message: str


@dataclass(slots=True)
class Plan:
    """What the next calls end with."""

    rpc: str
    """Name of the RPC; empty: any."""
    left: int
    """For how many calls it still holds."""
    ending: Failure | Nothing

    @property
    def comes_before_the_record(self) -> bool:
        """Whether a call ends so although its intent is settled."""
        return isinstance(self.ending, Nothing) or self.ending.outcome == call_pb2.OUTCOME_NOT_SENT


class Script:
    """Decides what each call ends with, and keeps the records of intents."""

    def __init__(self) -> None:
        """Start without plans and records."""
        self._plans: list[Plan] = []
        self._records: dict[tuple[str, str], Record] = {}
        self._numbers = itertools.count(1)

    def plan(self, plan: Plan) -> None:
        """Add a plan, after the others."""
        self._plans.append(plan)

    def answer(self, rpc: Rpc[Any, Any], call: RecordedCall) -> tuple[Any, RecordedCall]:
        """Return a message or how the call fails, and the call with what became of it."""
        record = self._records.get((rpc.name, call.request_id))
        ending = self._next_ending(rpc.name, settled=record is not None and record.settled)
        # A proxy answers in the place of the service.
        if isinstance(ending, Nothing):
            return ending, replace(call, reason=ending.code.name)
        if rpc is GET_INTENT or rpc.service == DIAGNOSTICS:
            return _failed(call, ending) if ending else (self._read(rpc, call.request), call)
        refusal = ending if ending and ending.outcome == call_pb2.OUTCOME_NOT_SENT else _refusal(record, call.request)
        if refusal is not None:
            return _failed(call, refusal)
        if call.request.validate_only and ending is None:
            return executed(call.request, rpc, call.track_id, 0), call
        return self._run(rpc, call, ending)

    def _next_ending(self, rpc: str, *, settled: bool) -> Failure | Nothing | None:
        fitting = (plan for plan in self._plans if plan.rpc in {"", rpc})
        plan = next((plan for plan in fitting if not settled or plan.comes_before_the_record), None)
        if plan is None:
            return None
        plan.left -= 1
        if not plan.left:
            self._plans.remove(plan)
        return plan.ending

    def _read(self, rpc: Rpc[Any, Any], request: Any) -> Any:
        if rpc is not GET_INTENT:
            return rpc.answer()
        operation = OPERATIONS.get(request.operation, "")
        return intent_of(self._records.get((operation, request.request_id)), operation)

    def _run(self, rpc: Rpc[Any, Any], call: RecordedCall, failure: Failure | None) -> tuple[Any, RecordedCall]:
        """Execute an intent, fail it, or answer it from its record."""
        record = self._records.setdefault((rpc.name, call.request_id), Record(call.request))
        record.track_ids.append(call.track_id)
        if record.settled:
            return _failed(call, record.failure) if record.failure else (_replayed(record, call), call)
        runs = failure is None or failure.executed
        if runs:
            record.answer = executed(call.request, rpc, call.track_id, next(self._numbers))
        record.settled = runs or (failure is not None and failure.settles(rpc.name))
        record.failure = None if runs else failure
        call = replace(call, executed=runs)
        return _failed(call, failure) if failure else (record.answer, call)


def _refusal(record: Record | None, request: Any) -> Failure | None:
    """Return why a request is refused before it is executed."""
    if violations := broken_rules(request):
        return Failure(reason="REQUEST_INVALID", violations=violations)
    if record is not None and (names := record.differences(request)):
        differing = dict.fromkeys(names, "differs from the first request with this request_id")
        return Failure(reason="INTENT_MISMATCH", violations=differing)
    return None


def _failed(call: RecordedCall, failure: Failure) -> tuple[Failure, RecordedCall]:
    return failure, replace(call, reason=failure.reason)


def _replayed(record: Record, call: RecordedCall) -> Any:
    replayed = type(record.answer)()
    replayed.CopyFrom(record.answer)
    replayed.call.replayed, replayed.call.track_id = call_pb2.REPLAY_YES, call.track_id
    return replayed
