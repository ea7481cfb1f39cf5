"""What every use case has in common: route, key, intent, then send or show."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from opentelemetry import trace

from payorch_server.access.permission import Action, permit
from payorch_server.intents.executor import IntentExecutor, idempotency_key
from payorch_server.intents.intent import Fingerprint, IntentExecution, IntentResult
from payorch_server.intents.intent_record import IntentStatus, resend_before
from payorch_server.intents.intent_spans import tell_failure
from payorch_server.model.attempt import CallReport, UpstreamFacts, UpstreamPreview
from payorch_server.model.call_record import place_of
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, UpstreamEvidence, call_error
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.table import RoutingTable
from payorch_server.runtime.clock import Clock
from payorch_server.telemetry.spans import start_child
from payorch_server.zuora.client import MIN_REMAINING_S, ZuoraClient
from payorch_server.zuora.messages import Call, ZuoraReply
from payorch_server.zuora.settings import TenantSettings

T = TypeVar("T")

_RANDOM_KEY_BYTES: Final = 20
# Recorded refusals that a new key can get past. Only what costs nothing may be sent under one.
_TRANSIENT: Final = frozenset({Reason.UPSTREAM_LOCKED, Reason.UPSTREAM_TEMPORARY})


@dataclass(frozen=True, slots=True)
class Intent:
    """What every mutating command carries."""

    request_id: RequestId
    query: RouteQuery
    validate_only: bool
    fingerprints: Mapping[str, Fingerprint]
    """By key id, the key in use first."""


@dataclass(frozen=True, slots=True)
class ZuoraOperation(Generic[T]):
    """What a use case does at Zuora."""

    build: Callable[[Route, TenantSettings], Call]
    """Makes the call for the route; pure."""
    parse: Callable[[ZuoraReply], T]
    """Reads the successful answer; pure."""
    result_type: Any
    ids_of: Callable[[T], UpstreamEvidence]
    """Names what exists because of a result."""
    moves_money: bool
    raw_card_data: bool = False
    """Whether it carries a card number."""
    guarded_token: str = ""
    """What names the one-time token in it; empty if there is none."""
    retry_with_new_key: bool = False
    """Whether an unused result costs nothing, so that a transient refusal may be followed by a new key at once."""
    stale_after_s: float | None = None
    """Age from which a recorded result is of no use."""


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
        intents: IntentExecutor,
        clock: Clock,
        entropy: Callable[[int], bytes],
        tracer: trace.Tracer | None = None,
    ) -> None:
        self.routing = routing
        """Where calls go."""
        self._zuora = zuora
        self._intents = intents
        self._clock = clock
        self._entropy = entropy
        self._tracer = tracer or trace.NoOpTracer()

    async def run(self, intent: Intent, context: CallContext, work: ZuoraOperation[T]) -> CallResult[T]:
        """Route the call, then execute, join or replay its intent, or only show what would be sent.

        Args:
            intent: What is to be done, once.
            context: Track-Id, deadline and caller.
            work: How.

        Raises:
            CallError: Any of its kinds.
        """
        route = self._resolve(intent, context)
        permit_on = self._permission(intent, context, work)
        if isinstance(route, Route):
            permit_on(route)
        key = self._key(intent, context, route)
        if intent.validate_only:
            if isinstance(route, CallError):
                raise route
            call = work.build(route, self._zuora.tenant(route))
            preview = self._zuora.preview(call, route=route, context=context, key=key)
            return CallResult(CallReport(context.track_id, route), preview=preview)
        remaining_s = context.deadline_s - self._clock.monotonic()
        if remaining_s < MIN_REMAINING_S:
            raise call_error(Reason.DEADLINE_TOO_SHORT, f"{remaining_s:.3f} s are left before the deadline")
        ended = await self._intents.run(self._opening(intent, key, route, work, permit_on), context)
        context.notes.place = place_of(ended.route)
        context.notes.note_success(ended.facts, work.ids_of(ended.value))
        return CallResult(_report(context, ended), value=ended.value)

    async def look_up(self, *, rpc: str, request_id: RequestId, context: CallContext) -> IntentStatus | None:
        """Return what is recorded of an intent of the caller's namespace, or None.

        Raises:
            NotSent: The store cannot be reached, or the caller may not use the route of the intent.
        """
        records = self._intents.records
        key = idempotency_key(namespace=context.namespace, rpc=rpc, request_id=request_id)
        self._intents.spans.mark(key)
        record = await records.look_up(key)
        if record is None:
            return None
        context.notes.place = place_of(record.route)
        permit(context, Action("GetIntent", multi_org=self._zuora.uses_multi_org(record.route)), record.route)
        expired = record.settlement is None and self._clock.now() > resend_before(record)
        return IntentStatus(record, in_flight=records.is_in_flight(record), expired=expired)

    def _resolve(self, intent: Intent, context: CallContext) -> Route | CallError:
        """Route the call; a refusal counts only if the intent is new, so it is a value here."""
        span = start_child(self._tracer, "route")
        try:
            route = self.routing.resolve(dataclasses.replace(intent.query, caller=context.caller.identity))
            span.set_attribute("payorch.rule", route.rule)
            return route
        except CallError as refusal:
            tell_failure(span, refusal)
            return refusal
        finally:
            span.end()

    def _key(self, intent: Intent, context: CallContext, _route: Route | CallError) -> IdempotencyKey:
        """Return the intent's key, which must not depend on the route: routes move."""
        return idempotency_key(namespace=context.namespace, rpc=intent.query.rpc, request_id=intent.request_id)

    def _permission(self, intent: Intent, context: CallContext, work: ZuoraOperation[T]) -> Callable[[Route], None]:
        """Return what refuses the caller on a route, and decides, and tells, once for each place."""
        permitted: list[tuple[str, str, tuple[str, ...]]] = []

        def permit_on(route: Route) -> None:
            context.notes.place = place_of(route)
            place = (route.tenant, route.entity_id, route.org_ids)
            if place in permitted:
                return
            asked = Action(
                rpc=intent.query.rpc,
                moves_money=work.moves_money,
                raw_card_data=work.raw_card_data,
                multi_org=self._zuora.uses_multi_org(route),
            )
            permit(context, asked, route)
            permitted.append(place)

        return permit_on

    def _opening(
        self,
        intent: Intent,
        key: IdempotencyKey,
        route: Route | CallError,
        work: ZuoraOperation[T],
        permit_on: Callable[[Route], None],
    ) -> IntentExecution[T]:
        async def send(pinned: Route, context: CallContext, earlier: EarlierSends) -> tuple[T, UpstreamFacts]:
            if intent.query.rpc in self._zuora.tenant(pinned).switched_off:
                private = f"{intent.query.rpc} is switched off for {pinned.tenant}"
                raise call_error(Reason.SWITCHED_OFF, private, tenant=pinned.tenant)
            reply = await self._execute(work, pinned, context, key, earlier)
            return work.parse(reply), reply.facts

        return IntentExecution(
            key=key,
            rpc=intent.query.rpc,
            request_id=intent.request_id,
            fingerprints=intent.fingerprints,
            route=route,
            send=send,
            permit=permit_on,
            route_exists=self._zuora.serves,
            result_type=work.result_type,
            ids_of=work.ids_of,
            needs_store=work.moves_money,
            guarded_token=work.guarded_token,
            stale_after_s=work.stale_after_s,
        )

    async def _execute(
        self, work: ZuoraOperation[T], route: Route, context: CallContext, key: IdempotencyKey, earlier: EarlierSends
    ) -> ZuoraReply:
        call = work.build(route, self._zuora.tenant(route))
        try:
            return await self._zuora.execute(call, route=route, context=context, key=key, earlier=earlier)
        except CallError as error:
            if not work.retry_with_new_key or error.failure.reason not in _TRANSIENT:
                raise
        fresh = IdempotencyKey(f"po1-{self._entropy(_RANDOM_KEY_BYTES).hex()}")
        return await self._zuora.execute(call, route=route, context=context, key=fresh)


def _report(context: CallContext, ended: IntentResult[T]) -> CallReport:
    echoed = ended.facts.echoed_track_id
    replayed = True if ended.replayed else (echoed != context.track_id if echoed else None)
    return CallReport(context.track_id, ended.route, ended.facts, ended.first_sent_at, replayed)
