"""The gateways that are plugged in, called over gRPC."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import grpc
import structlog
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span

from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.telemetry.spans import carry
from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Silence,
)
from payorch_server.upc.gateway_port import Gateway, GatewayDirectory, PluginCertificates, PluginObserver
from payorch_server.upc.plugin_channel import PluginAddress, PluginChannel
from payorch_server.upc.plugin_messages import LOOK_UP, METHODS, SERVICE, look_up_message, request_message, secret_texts
from payorch_server.upc.plugin_outcome import ReadAnswer, read_look_up, read_response
from payorch_server.upc.request import HubRequest
from payorch_server.upc.settings import HubSettings, PluginSettings

_LOG: Final = structlog.get_logger("payorch.upc")
T = TypeVar("T")
_Route: TypeAlias = tuple[str, str, str, str]
"""Hub, name of the gateway instance in Zuora, tenant, and type in lower case."""
LINGER_S: Final = 60.0
"""Longer than any request takes, which may have found a gateway just before it was removed."""


class PluggedGateway(Gateway):
    """A gateway that is plugged in, as the settings of a moment name it."""

    def __init__(
        self, name: str, settings: PluginSettings, channel: PluginChannel, *, clock: Clock, tracer: Tracer,
        observer: PluginObserver,
    ) -> None:  # fmt: skip
        self.name = name
        self.settings = settings
        self.channel = channel
        self._clock, self._tracer, self._observer = clock, tracer, observer

    @property
    def in_flight(self) -> int:
        """Calls in progress."""
        return self.channel.in_flight

    async def describe(self, *, deadline_s: float) -> GatewayDescription | NotSent:
        """Return what the gateway says of itself."""
        return await self.channel.describe(deadline_s=deadline_s)

    async def call(
        self, request: HubRequest, facts: CallFacts, *, deadline_s: float
    ) -> GatewayOutcome | NoOutcome | NotSent:
        """Call the gateway once."""
        try:
            message = request_message(request, facts).SerializeToString()
        except ValueError:
            return NotSent("the request has a value that the contract cannot carry")
        operation, secrets = request.operation, secret_texts(request)
        return await self._send(
            METHODS[operation],
            message,
            lambda body: read_response(body, operation, secrets=secrets),
            key=facts.idempotency_key,
            deadline_s=deadline_s,
        )

    async def look_up(
        self, request: HubRequest, key: str, *, deadline_s: float
    ) -> GatewayOutcome | NotHeardOf | NoOutcome:
        """Ask the gateway what became of the calls for a request, under its key."""
        operation, secrets = request.operation, secret_texts(request)
        found = await self._send(
            LOOK_UP,
            look_up_message(key, operation).SerializeToString(),
            lambda body: read_look_up(body, operation, secrets=secrets),
            key=key,
            deadline_s=deadline_s,
        )
        return NoOutcome(Silence.ERROR, grpc.StatusCode.UNAVAILABLE.name) if isinstance(found, NotSent) else found

    async def _send(
        self, method: str, message: bytes, read: Callable[[bytes], ReadAnswer[T]], *, key: str, deadline_s: float
    ) -> T | NoOutcome | NotSent:
        begun_s = self._clock.monotonic()
        span = _start_client_span(self._tracer, method, gateway=self.name)
        try:
            headers: dict[str, str] = {}
            carry(span, headers)
            sent = await self.channel.send(method, message, metadata=tuple(headers.items()), deadline_s=deadline_s)
            ended: T | NoOutcome | NotSent
            if isinstance(sent, bytes):
                answer = read(sent)
                ended, broken = answer.value, answer.broken
            else:
                ended, broken = sent, ()
            result = _result_name(ended)
            _note_end(span, sent, ended, result=result)
        finally:
            span.end()
        if broken:
            self._report_broken(method, broken, key=key)
        if isinstance(ended, NoOutcome):
            _LOG.warning("upc_gateway_no_outcome", gateway=self.name, method=method, key=key, result=result)
        duration_s = self._clock.monotonic() - begun_s
        self._observer.plugin_called(gateway=self.name, method=method, result=result, duration_s=duration_s)
        return ended

    def _report_broken(self, method: str, rules: Sequence[str], *, key: str) -> None:
        _LOG.error("upc_contract_broken", gateway=self.name, method=method, key=key, rules=rules)
        for rule in rules:
            self._observer.contract_broken(gateway=self.name, rule=rule)


def _start_client_span(tracer: Tracer, method: str, *, gateway: str) -> Span:
    """Return the span of a call; below a span that is not recorded that one, whose ids the gateway is given."""
    current = get_current_span()
    if current.get_span_context().is_valid and not current.is_recording():
        return current
    attributes = {"rpc.system.name": "grpc", "rpc.method": f"{SERVICE}/{method}", "payorch.upc.gateway": gateway}
    return tracer.start_span(f"{SERVICE}/{method}", kind=SpanKind.CLIENT, attributes=attributes)


def _note_end(span: Span, sent: bytes | NoOutcome | NotSent, ended: object, *, result: str) -> None:
    """Set on a span how its call ended: what came, and what was read of it."""
    if not span.is_recording():
        return
    status = "OK" if isinstance(sent, bytes) else sent.code if isinstance(sent, NoOutcome) else ""
    if status:
        span.set_attribute("rpc.response.status_code", status)
    span.set_attribute("payorch.upc.result", result)
    if isinstance(ended, NoOutcome | NotSent):
        span.set_attribute("error.type", result)
        span.set_status(Status(StatusCode.ERROR))


def _result_name(value: object) -> str:
    """Return how a call ended, as `PluginObserver` lists it."""
    match value:
        case GatewayOutcome():
            return value.result.value
        case NoOutcome():
            return value.code or value.silence.name
        case NotHeardOf():
            return "NOT_HEARD_OF"
        case _:
            return "NOT_SENT"


class Gateways(GatewayDirectory):
    """The gateways that are plugged in now. Needs a running event loop."""

    def __init__(
        self,
        plugins: Mapping[str, PluginSettings],
        hubs: Mapping[str, HubSettings],
        certificates: Mapping[str, PluginCertificates],
        *,
        clock: Clock,
        tasks: TaskOwner,
        tracer: Tracer,
        observer: PluginObserver,
        linger_s: float = LINGER_S,
    ) -> None:
        """Open a channel to each gateway; nothing is connected before `begin`.

        Args:
            plugins: Gateways by name. No two have a hub, name, tenant and type in common.
            hubs: Hubs by name.
            certificates: What TLS needs, by name of the gateway; those without are called in plaintext.
            clock: Measures deadlines.
            tasks: Owns the tasks that watch channels and close them.
            tracer: Of client spans.
            observer: Counts calls.
            linger_s: How long a gateway that was removed can still be called by requests that found it before.
        """
        self._clock, self._tasks, self._tracer, self._observer = clock, tasks, tracer, observer
        self._linger_s = linger_s
        self._has_begun = False
        self._gateways: Mapping[str, PluggedGateway] = {}
        self._routes: Mapping[_Route, PluggedGateway] = {}
        self.replace(plugins, hubs, certificates)

    def begin(self) -> None:
        """Connect to all gateways, and to those that are added later as soon as they are."""
        self._has_begun = True
        for gateway in self._gateways.values():
            gateway.channel.begin()

    def replace(
        self,
        plugins: Mapping[str, PluginSettings],
        hubs: Mapping[str, HubSettings],
        certificates: Mapping[str, PluginCertificates],
    ) -> None:
        """Change the gateways. A channel whose target and certificates stay as they are is kept.

        Requests that have found a gateway before finish with it: its channel is closed after the longest request.
        """
        before = self._gateways
        self._gateways = {
            name: self._gateway(name, settings, PluginAddress(settings.target, certificates.get(name)))
            for name, settings in plugins.items()
        }
        self._routes = dict(_routes(self._gateways.values(), hubs))
        kept = {gateway.channel for gateway in self._gateways.values()}
        for name, gateway in before.items():
            if gateway.channel not in kept:
                _ = self._tasks.start(gateway.channel.close(after_s=self._linger_s), name=f"close gateway {name}")

    def _gateway(self, name: str, settings: PluginSettings, address: PluginAddress) -> PluggedGateway:
        known = self._gateways.get(name)
        if known and known.channel.address == address:
            channel = known.channel
        else:
            channel = PluginChannel(name, address, clock=self._clock, tasks=self._tasks, observer=self._observer)
            if self._has_begun:
                channel.begin()
        return PluggedGateway(name, settings, channel, clock=self._clock, tracer=self._tracer, observer=self._observer)

    def find(self, *, hub: str, gateway_name: str, tenant_id: str, method_type: str) -> Gateway | None:
        """Return the gateway of a request, or None."""
        return self._routes.get((hub, gateway_name, tenant_id, method_type.casefold()))

    def named(self, name: str) -> Gateway | None:
        """Return the gateway with this name in the settings, or None."""
        return self._gateways.get(name)

    def states(self) -> Mapping[str, str]:
        """Return the state of each gateway's channel: a name of gRPC's, such as READY, or NOT_DESCRIBED."""
        return {name: gateway.channel.state for name, gateway in self._gateways.items()}

    async def close(self) -> None:
        """Close all channels; calls that have not ended are cut off."""
        await asyncio.gather(*(gateway.channel.close() for gateway in self._gateways.values()))


def _routes(
    gateways: Iterable[PluggedGateway], hubs: Mapping[str, HubSettings]
) -> Iterator[tuple[_Route, PluggedGateway]]:
    for gateway in gateways:
        settings = gateway.settings
        tenants = hubs[settings.hub].tenants if settings.hub in hubs else ()
        for name, tenant, method_type in itertools.product(settings.names, tenants, settings.types):
            yield (settings.hub, name, tenant, method_type.casefold()), gateway
