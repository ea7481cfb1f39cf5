"""A replica's connections to gateways, and its view of the settings that name them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Silence,
)
from payorch_server.upc.gateway_port import Gateway
from payorch_server.upc.request import HubRequest
from payorch_server.upc.settings import PluginSettings

from programs.simulation.upc.provider import Broken, Provider, right_key

_MAX_READY_S: Final = 5.0


@dataclass(slots=True)
class PluginCall:
    """One call of a gateway."""

    key: str
    replica: str
    provider: str
    began_s: float
    ended_s: float = float("inf")


@dataclass(slots=True)
class Link:
    """The network between a replica and the gateways."""

    replica: str
    calls: list[PluginCall]
    """Of all replicas, in their order."""
    is_cut: bool = False


class Plugin:
    """A plugged-in gateway as one replica sees it."""

    def __init__(self, name: str, settings: PluginSettings, *, provider: Provider, link: Link) -> None:
        self.name = name
        self.settings = settings
        self.provider = provider
        self._link = link
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Calls in progress."""
        return self._in_flight

    async def describe(self, *, deadline_s: float) -> GatewayDescription | NotSent:
        """Describe the gateway."""
        if not await self._is_ready(deadline_s):
            return NotSent("simulated: not connected")
        return self.provider.description

    async def call(
        self, request: HubRequest, facts: CallFacts, *, deadline_s: float
    ) -> GatewayOutcome | NoOutcome | NotSent:
        """Call the gateway until the deadline; what it does may last longer."""
        self._in_flight += 1
        try:
            if not await self._is_ready(deadline_s):
                return NotSent("simulated: not connected")
            call = PluginCall(right_key(request, facts), self._link.replica, self.provider.name, self.provider.time())
            self._link.calls.append(call)
            try:
                return await self._call(request, facts, deadline_s=deadline_s)
            finally:
                call.ended_s = self.provider.time()
        finally:
            self._in_flight -= 1

    async def _call(self, request: HubRequest, facts: CallFacts, *, deadline_s: float) -> GatewayOutcome | NoOutcome:
        # What is under way to the gateway takes its time, and nothing calls it back.
        await asyncio.sleep(self.provider.rng.uniform(0.001, 0.01))
        work = self.provider.spawn(self.provider.handle(request, facts, deadline_s=deadline_s))
        try:
            done, _ = await asyncio.wait({work}, timeout=max(deadline_s - self.provider.time(), 0.0))
        except asyncio.CancelledError:
            self.provider.leave(facts.idempotency_key)
            raise
        if not done:
            self.provider.leave(facts.idempotency_key)
            return NoOutcome(Silence.DEADLINE, "DEADLINE_EXCEEDED")
        try:
            outcome: GatewayOutcome | NoOutcome = work.result()
        except (Broken, asyncio.CancelledError):
            return NoOutcome(Silence.ERROR, "UNAVAILABLE")
        return outcome

    async def look_up(
        self, request: HubRequest, key: str, *, deadline_s: float
    ) -> GatewayOutcome | NotHeardOf | NoOutcome:
        """Ask what became of the calls under a key."""
        del request
        if not await self._is_ready(deadline_s):
            return NoOutcome(Silence.ERROR, "UNAVAILABLE")
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self.provider.look_up(key)
        except TimeoutError:
            return NoOutcome(Silence.DEADLINE, "DEADLINE_EXCEEDED")

    async def _is_ready(self, deadline_s: float) -> bool:
        await asyncio.sleep(0.001)
        until_s = min(self.provider.time() + _MAX_READY_S, deadline_s)
        while self._link.is_cut or not self.provider.up:
            if self.provider.time() >= until_s:
                return False
            await asyncio.sleep(0.25)
        return self.provider.time() < deadline_s


@dataclass(frozen=True, slots=True)
class Registered:
    """One gateway of the settings."""

    settings: PluginSettings
    provider: str
    """What its target leads to."""


class Directory:
    """The gateways of the settings that a replica has loaded."""

    def __init__(self, providers: Mapping[str, Provider], link: Link) -> None:
        self._providers = providers
        self._link = link
        self._plugins: dict[str, Plugin] = {}

    def load(self, registry: Mapping[str, Registered]) -> None:
        """Take other settings into use; what did not change is kept."""
        loaded = {}
        for name, entry in registry.items():
            plugin = self._plugins.get(name)
            if plugin is None or plugin.provider.name != entry.provider:
                plugin = Plugin(name, entry.settings, provider=self._providers[entry.provider], link=self._link)
            plugin.settings = entry.settings
            loaded[name] = plugin
        self._plugins = loaded

    def find(self, *, hub: str, gateway_name: str, tenant_id: str, method_type: str) -> Gateway | None:
        """Return the gateway of a request."""
        del tenant_id
        for plugin in self._plugins.values():
            types = {type_.lower() for type_ in plugin.settings.types}
            if plugin.settings.hub == hub and gateway_name in plugin.settings.names and method_type.lower() in types:
                return plugin
        return None

    def named(self, name: str) -> Gateway | None:
        """Return the gateway with a name in the settings."""
        return self._plugins.get(name)
