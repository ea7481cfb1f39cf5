"""The steps that all use cases share: route, permit, then preview or execute."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from opentelemetry import trace

from payorch_server.access.permission import Action, permit
from payorch_server.intents.executor import IntentExecutor, idempotency_key
from payorch_server.intents.intent import IntentRequest, IntentResult, RequestFingerprints, record_unreadable
from payorch_server.intents.intent_record import IntentRecordUnreadable, IntentStatus, resend_before
from payorch_server.model.attempt import CallReport, UpstreamPreview
from payorch_server.model.call_notes import RouteNames
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, call_error, error_for
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.operation import GET_INTENT
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.table import RoutingTable
from payorch_server.runtime.clock import Clock
from payorch_server.telemetry.spans import record_failure, start_child
from payorch_server.usecases.routed_operation import RoutedOperation
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.client import MIN_REMAINING_S, ZuoraClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Intent:
    """What every mutating command carries."""

    request_id: RequestId
    query: RouteQuery
    validate_only: bool
    fingerprints: RequestFingerprints


@dataclass(frozen=True, slots=True)
class CallResult(Generic[T]):
    """The end of a call: a value, or for validate_only the request that would be sent."""

    report: CallReport
    value: T | None = None
    preview: UpstreamPreview | None = None


class Dispatcher:
    """Runs one call from its command to its result."""

    def __init__(
        self,
        *,
        routing: RoutingTable,
        zuora: ZuoraClient,
        executor: IntentExecutor,
        clock: Clock,
        entropy: Callable[[int], bytes],
        tracer: trace.Tracer | None = None,
        audit_required: bool = True,
    ) -> None:
        self.routing = routing
        """The routing table."""
        self._zuora = zuora
        self._executor = executor
        self._clock = clock
        self._entropy = entropy
        self._tracer = tracer or trace.NoOpTracer()
        self._audit_required = audit_required

    async def run(self, intent: Intent, context: CallContext, operation: ZuoraOperation[T]) -> CallResult[T]:
        """Route the call, then execute, join or replay its intent, or only show what would be sent.

        Args:
            intent: What is to be done, once.
            context: Track-Id, deadline and caller.
            operation: How it is done at Zuora.

        Raises:
            CallError: With any outcome.
        """
        # 1. Route. A refusal matters only if the intent is new, so it is a value until that is known.
        route = self._resolve(intent, context)
        key = self._key(intent, context)
        routed = self._bind(operation, intent, context, key)
        # 2. Permit, before anything is shown, joined or replayed; again later if the intent is pinned elsewhere. Where
        # this process has sent the intent, its own route counts: a caller without the right to it learns nothing of it.
        if sent := self._executor.ledger.memory.sent(key):
            routed.permit(sent.route)
        elif isinstance(route, Route):
            routed.permit(route)
        context.notes.sent_before |= self._executor.knows_of(key)
        # 3. Only show what would be sent.
        if intent.validate_only:
            context.notes.intent_read = True
            return self._preview(operation, route, context, key)
        # 4. Too little time is left for any send.
        remaining_s = context.deadline_s - self._clock.monotonic()
        if remaining_s < MIN_REMAINING_S:
            raise call_error(Reason.DEADLINE_TOO_SHORT, f"{remaining_s:.3f} s are left before the deadline")
        # 5. Execute, join or replay.
        request = IntentRequest(key, intent.query.rpc, intent.request_id, intent.fingerprints, route, routed)
        try:
            result = await self._executor.run(request, context)
        except CallError as error:
            # The advice depends on the RPC. Calls that joined one execution share its error, so each gets its own.
            raise error_for(dataclasses.replace(error.failure, rpc=intent.query.rpc)) from error
        # Noted for every call: the execution itself notes it only for the call that started it.
        context.notes.route = RouteNames.of(result.route)
        context.notes.note_success(result.facts, operation.ids_of(result.value))
        return CallResult(_report(context, result), value=result.value)

    async def look_up(self, *, rpc: str, request_id: RequestId, context: CallContext) -> IntentStatus | None:
        """Return what is recorded of an intent of the caller's namespace, or None.

        Raises:
            CallError: The store cannot be reached, or the caller may not use the route of the intent; NOT_SENT.
                Or its record cannot be read; UNKNOWN.
        """
        ledger = self._executor.ledger
        key = idempotency_key(namespace=context.namespace, rpc=rpc, request_id=request_id)
        self._executor.spans.mark(key)
        try:
            record = await ledger.look_up(key)
        except IntentRecordUnreadable as error:
            raise record_unreadable(error, key=key, rpc=rpc, request_id=request_id) from error
        if record is None:
            return None
        context.notes.route = RouteNames.of(record.route)
        permit(
            context, Action(GET_INTENT.name, multi_org=self._zuora.tenants.uses_multi_org(record.route)), record.route
        )
        now_s = max(self._clock.now().timestamp(), self._zuora.clocks.now_s(record.route.tenant) or 0.0)
        expired = record.settlement is None and now_s > resend_before(record).timestamp()
        return IntentStatus(record, in_flight=ledger.is_in_flight(record), expired=expired)

    def _resolve(self, intent: Intent, context: CallContext) -> Route | CallError:
        span = start_child(self._tracer, "route")
        try:
            route = self.routing.resolve(dataclasses.replace(intent.query, caller=context.caller.identity))
            span.set_attribute("payorch.rule", route.rule)
            return route
        except CallError as refusal:
            record_failure(span, refusal)
            return refusal
        finally:
            span.end()

    def _key(self, intent: Intent, context: CallContext) -> IdempotencyKey:
        """Return the intent's key, which does not depend on the route: routes change."""
        return idempotency_key(namespace=context.namespace, rpc=intent.query.rpc, request_id=intent.request_id)

    def _bind(
        self, operation: ZuoraOperation[T], intent: Intent, context: CallContext, key: IdempotencyKey
    ) -> RoutedOperation[T]:
        return RoutedOperation(
            operation,
            rpc=intent.query.rpc,
            key=key,
            context=context,
            zuora=self._zuora,
            entropy=self._entropy,
            audit_required=self._audit_required,
        )

    def _preview(
        self, operation: ZuoraOperation[T], route: Route | CallError, context: CallContext, key: IdempotencyKey
    ) -> CallResult[T]:
        if isinstance(route, CallError):
            raise route
        call = operation.build(route, self._zuora.tenants.of(route))
        preview = self._zuora.preview(call, route=route, context=context, key=key)
        return CallResult(CallReport(context.track_id_on_wire, route), preview=preview)


def _report(context: CallContext, result: IntentResult[T]) -> CallReport:
    echoed = result.facts.echoed_track_id
    replayed = True if result.replayed else (echoed != context.track_id if echoed else None)
    return CallReport(context.track_id_on_wire, result.route, result.facts, result.first_sent_at, replayed)
