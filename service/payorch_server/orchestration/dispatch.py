"""What every use case has in common: route, key, build, then send or show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from payorch_server.model.attempt import CallReport, UpstreamPreview
from payorch_server.model.context import CallContext
from payorch_server.model.identifiers import RequestId
from payorch_server.model.route import Route
from payorch_server.orchestration.intents import idempotency_key
from payorch_server.orchestration.routing import RouteQuery, RoutingTable
from payorch_server.zuora.calls import Call, Reply
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.settings import TenantSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Intent:
    """What every mutating command carries."""

    request_id: RequestId
    query: RouteQuery
    validate_only: bool


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of a call: a value, or for validate_only the request that would be sent."""

    report: CallReport
    value: T | None = None
    preview: UpstreamPreview | None = None


class Dispatcher:
    """Runs one call from its command to its result."""

    def __init__(self, *, routing: RoutingTable, zuora: ZuoraClient) -> None:
        self._routing = routing
        self._zuora = zuora

    async def run(
        self,
        intent: Intent,
        context: CallContext,
        *,
        build: Callable[[Route, TenantSettings], Call],
        parse: Callable[[Reply], T],
    ) -> Done[T]:
        """Route the call, build it, and send it once unless it is only to be shown.

        Args:
            intent: What is to be done, once.
            context: Track-Id, deadline and namespace.
            build: Makes the call for the route; pure.
            parse: Reads the successful answer; pure.

        Raises:
            CallError: Any of its kinds.
        """
        route = self._routing.resolve(intent.query)
        rpc = intent.query.rpc
        key = idempotency_key(namespace=context.namespace, rpc=rpc, request_id=intent.request_id)
        call = build(route, self._zuora.tenant(route))
        if intent.validate_only:
            preview = self._zuora.preview(call, route=route, context=context, key=key)
            return Done(CallReport(context.track_id, route), preview=preview)
        reply = await self._zuora.execute(call, route=route, context=context, key=key)
        return Done(CallReport(context.track_id, route, reply.facts), value=parse(reply))
