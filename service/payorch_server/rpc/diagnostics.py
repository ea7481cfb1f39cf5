"""The servicer for operators: decode, call, encode. The command line uses the same decoder and encoders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import error_reason_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from payorch_server.access.permission import permit_diagnostics, readable_namespaces
from payorch_server.calls.recording import CallRecord
from payorch_server.model.errors import CallError, Violation, invalid
from payorch_server.model.identifiers import TrackId, trace_id_of
from payorch_server.model.operation import RPCS
from payorch_server.model.outcome import Advice, Outcome
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.explain import Explanation, HypotheticalCall, explain
from payorch_server.rpc.current import active_call
from payorch_server.rpc.decode import amount_in, hints_of
from payorch_server.rpc.encode import route_taken
from payorch_server.rpc.operator_search import GET_CALL_CHECKS, REASONS, OperatorSearch, get_call_violations
from payorch_server.rpc.payment_orchestration import OPERATIONS
from payorch_server.rpc.status import ADVICE, OUTCOMES, attempt_message
from payorch_server.rpc.validation import Check, Validator
from payorch_server.zuora.breaker import CircuitState
from payorch_server.zuora.entity_status import EntityStatus
from payorch_server.zuora.quota import LimitReading
from payorch_server.zuora.resources.payment_methods import REFUSED

_REQUEST_TYPES: Final = (
    diagnostics_pb2.GetCallRequest,
    diagnostics_pb2.GetQuotaRequest,
    diagnostics_pb2.ExplainRouteRequest,
    diagnostics_pb2.ListUnsettledIntentsRequest,
)
_METHODS: Final = frozenset(
    field.name for field in service_pb2.CreatePaymentMethodRequest.DESCRIPTOR.oneofs_by_name["method"].fields
) - set(REFUSED)
_KINDS: Final[Mapping[str, diagnostics_pb2.CallKind.ValueType]] = {
    "call": diagnostics_pb2.CALL_KIND_CALL,
    "execution": diagnostics_pb2.CALL_KIND_EXECUTION,
}
_DISPOSITIONS: Final[Mapping[str, diagnostics_pb2.IntentDisposition.ValueType]] = {
    "opened": diagnostics_pb2.INTENT_DISPOSITION_OPENED,
    "taken_over": diagnostics_pb2.INTENT_DISPOSITION_TAKEN_OVER,
    "joined": diagnostics_pb2.INTENT_DISPOSITION_JOINED,
    "replayed": diagnostics_pb2.INTENT_DISPOSITION_REPLAYED,
    "unrecorded": diagnostics_pb2.INTENT_DISPOSITION_UNRECORDED,
}
_CIRCUITS: Final[Mapping[CircuitState, diagnostics_pb2.CircuitState.ValueType]] = {
    CircuitState.CLOSED: diagnostics_pb2.CIRCUIT_STATE_CLOSED,
    CircuitState.HALF_OPEN: diagnostics_pb2.CIRCUIT_STATE_HALF_OPEN,
    CircuitState.OPEN: diagnostics_pb2.CIRCUIT_STATE_OPEN,
}


class DiagnosticsServicer(diagnostics_grpc.DiagnosticsServiceServicer):
    """Serves payorch.v1.DiagnosticsService."""

    def __init__(self, search: OperatorSearch, statuses: Callable[[], Sequence[EntityStatus]]) -> None:
        """Make a servicer.

        Args:
            search: Finds calls and intents.
            statuses: Returns what is known of each entity of each tenant.
        """
        self._search = search
        self._statuses = statuses
        self._validator = Validator({**EXPLAIN_CHECKS, **GET_CALL_CHECKS})
        self._validator.compile(_REQUEST_TYPES)

    async def GetCall(  # noqa: N802 - generated name
        self, request: diagnostics_pb2.GetCallRequest, _context: Any
    ) -> diagnostics_pb2.GetCallResponse:
        """Return the records of the calls with a Track-Id or a request id."""
        request, active = (await self._validator.check_on_loop(request)).message, active_call()
        if violations := [*get_call_violations(request)]:
            raise invalid(*violations)
        namespaces = readable_namespaces(
            active.context, "GetCall", requested=request.namespace, known=active.policy.access.namespaces
        )
        if request.request_id:
            records, intents = await self._search.look_up(request.request_id, namespaces=namespaces)
            return diagnostics_pb2.GetCallResponse(calls=map(encode_call_record, records), intents=intents)
        track_id = TrackId(request.track_id)
        records = await self._search.calls_of(track_id, namespaces=namespaces)
        trace_id = trace_id_of(self._search.shown_track_id(track_id))
        return diagnostics_pb2.GetCallResponse(calls=map(encode_call_record, records), trace_id=trace_id)

    async def ListUnsettledIntents(  # noqa: N802 - generated name
        self, request: diagnostics_pb2.ListUnsettledIntentsRequest, _context: Any
    ) -> diagnostics_pb2.ListUnsettledIntentsResponse:
        """Return the intents whose outcome is not known."""
        request, active = (await self._validator.check_on_loop(request)).message, active_call()
        namespaces = readable_namespaces(
            active.context, "ListUnsettledIntents", requested=request.namespace, known=active.policy.access.namespaces
        )
        return await self._search.unsettled(request, namespaces=namespaces)

    async def GetQuota(  # noqa: N802 - generated name
        self, request: diagnostics_pb2.GetQuotaRequest, _context: Any
    ) -> diagnostics_pb2.GetQuotaResponse:
        """Return what is left of Zuora's limits, and how the way to Zuora is."""
        request = (await self._validator.check_on_loop(request)).message
        context = active_call().context
        permit_diagnostics(context, "GetQuota", namespace=context.namespace)
        return encode_quota(statuses_of(request, self._statuses()))

    async def ExplainRoute(  # noqa: N802 - generated name
        self, request: diagnostics_pb2.ExplainRouteRequest, _context: Any
    ) -> diagnostics_pb2.ExplainRouteResponse:
        """Explain how a hypothetical call would be routed, and whether it would be permitted."""
        request, active = (await self._validator.check_on_loop(request)).message, active_call()
        call = decode_hypothetical_call(request, caller=request.caller or active.context.caller.identity)
        caller = active.policy.access.caller(call.query.caller)
        # An unknown identity has no namespace to protect.
        namespace = caller.namespace if caller else active.context.namespace
        permit_diagnostics(active.context, "ExplainRoute", namespace=namespace)
        explanation = explain(call, routing=active.policy.dispatcher.routing, access=active.policy.access)
        return encode_explanation(explanation)


def encode_call_record(record: CallRecord) -> diagnostics_pb2.CallRecord:
    """Return one record as a message."""
    route = record.route
    message = diagnostics_pb2.CallRecord(
        kind=_KINDS[record.kind],
        rpc=record.rpc,
        track_id=record.track_id,
        trace_id=record.trace_id,
        caller=record.caller,
        duration=_duration(record.duration_s),
        code=code_pb2.Code.Value(record.code) if record.code else None,
        outcome=OUTCOMES[Outcome[record.outcome]],
        advice=ADVICE[Advice[record.advice or Advice.NONE.name]],
        error_reason=REASONS.get(record.reason, error_reason_pb2.ERROR_REASON_UNSPECIFIED),
        detail=record.detail,
        tenant=route.tenant,
        entity=route.entity,
        matched_rule=route.rule,
        policy_hash=route.policy_hash,
        intent=_DISPOSITIONS.get(record.intent, diagnostics_pb2.INTENT_DISPOSITION_UNSPECIFIED),
        phases={name: _duration(seconds) for name, seconds in record.phases_s.items()},
        attempts=[attempt_message(attempt) for attempt in record.attempts],
        executed_track_id=record.executed_track_id,
        zuora_request_id=record.zuora_request_id,
        zuora_process_id=record.zuora_process_id,
        zuora_codes=record.evidence.zuora_codes,
        request_id=record.request_id,
        namespace=record.namespace,
    )
    message.start_time.FromDatetime(record.started_at)
    if record.evidence.payment_method_id or record.evidence.payment_id:
        message.existing.payment_method_id = record.evidence.payment_method_id
        message.existing.payment_id = record.evidence.payment_id
    return message


def statuses_of(request: diagnostics_pb2.GetQuotaRequest, statuses: Sequence[EntityStatus]) -> Sequence[EntityStatus]:
    """Return the statuses that a request is about.

    Raises:
        InvalidRequestError: It names no tenant of the configuration.
    """
    wanted = [status for status in statuses if request.tenant in {"", status.tenant}]
    if request.tenant and not wanted:
        raise invalid(Violation("tenant", "tenant.known", "must be the name of a tenant of the configuration"))
    return wanted


def encode_quota(statuses: Sequence[EntityStatus]) -> diagnostics_pb2.GetQuotaResponse:
    """Return the response."""
    return diagnostics_pb2.GetQuotaResponse(entities=[_entity_quota(status) for status in statuses])


def _entity_quota(status: EntityStatus) -> diagnostics_pb2.EntityQuota:
    return diagnostics_pb2.EntityQuota(
        tenant=status.tenant,
        entity=status.entity,
        rate_limit=_reported(status.rate, status.now_s),
        concurrency_limit=_reported(status.concurrency, status.now_s),
        max_calls_in_flight=status.max_in_flight,
        calls_in_flight=status.in_flight,
        calls_queued=status.waiting,
        token_age=None if status.token_age_s is None else _duration(status.token_age_s),
        circuit=_CIRCUITS[status.circuit],
        circuit_delay=None if status.circuit is CircuitState.CLOSED else _duration(status.circuit_wait_s),
    )


def _reported(reading: LimitReading | None, now_s: float) -> diagnostics_pb2.ReportedLimit | None:
    if reading is None:
        return None
    return diagnostics_pb2.ReportedLimit(
        remaining=int(reading.left),
        limit=None if reading.limit is None else int(reading.limit),
        reset_delay=None if reading.reset_s is None else _duration(reading.reset_s - now_s),
        age=_duration(now_s - reading.at_s),
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration


def decode_hypothetical_call(request: diagnostics_pb2.ExplainRouteRequest, *, caller: str) -> HypotheticalCall:
    """Return the call that a valid request describes.

    Args:
        request: The request.
        caller: Whose call it is.

    Raises:
        InvalidRequestError: No call of the operation can have what the request describes.
    """
    violations = [*hypothetical_call_violations(request)]
    if violations:
        raise invalid(*violations)
    amount = amount_in(request.amount) if request.HasField("amount") else None
    query = RouteQuery(
        rpc=OPERATIONS[request.operation],
        hints=hints_of(request),
        currency=amount.currency if amount else request.currency_code,
        amount=amount,
        account=request.account,
        caller=caller,
    )
    return HypotheticalCall(
        query, request.moves_money, request.raw_card_data or request.method == "card", request.method
    )


def hypothetical_call_violations(request: Any) -> Iterator[Violation]:
    """Find fields of an ExplainRouteRequest that no call of its operation can have."""
    # An operation that does not exist is a violation already, and the other fields cannot be judged.
    if request.operation not in OPERATIONS:
        return
    rpc = RPCS[OPERATIONS[request.operation]]
    if not rpc.has_amount and request.HasField("amount"):
        yield Violation("amount", "operation.has", f"{rpc.name} has no amount; give currency_code")
    if rpc.has_amount and request.currency_code:
        yield Violation("currency_code", "operation.has", f"is no field of {rpc.name}; give amount")
    if not rpc.has_method_type and request.method:
        yield Violation("method", "operation.has", f"is no field of {rpc.name}; leave it out")
    if rpc.has_method_type and request.method and request.method not in _METHODS:
        yield Violation("method", "method.known", "must be an arm of CreatePaymentMethodRequest.method that is created")


def encode_explanation(explanation: Explanation) -> diagnostics_pb2.ExplainRouteResponse:
    """Return the response."""
    route = explanation.route
    return diagnostics_pb2.ExplainRouteResponse(
        route_taken=route_taken(route) if route else None,
        matched_rule=route.rule if route else "",
        rejected_rules=[
            diagnostics_pb2.RejectedRule(
                rule=rejected.rule, condition=rejected.condition, expected=rejected.wanted, actual=rejected.had
            )
            for rejected in explanation.rejected
        ],
        headers=explanation.headers,
        gateway_sent=explanation.gateway,
        policy_hash=explanation.policy_hash,
        refusal=_refusal(explanation.refusal) if explanation.refusal else None,
    )


def _refusal(error: CallError) -> diagnostics_pb2.RouteRefusal:
    failure = error.failure
    return diagnostics_pb2.RouteRefusal(
        error_reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{failure.reason.name}"),
        metadata=failure.metadata,
        field_paths=[violation.field for violation in failure.violations],
    )


EXPLAIN_CHECKS: Final[Mapping[str, Check]] = {"payorch.v1.ExplainRouteRequest": hypothetical_call_violations}
"""Checks of decoding beyond the rules in the protos, by request type."""
