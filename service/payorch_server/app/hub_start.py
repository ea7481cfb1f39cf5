"""The composition root of the hub: builds it from its configuration, starts its listeners and drains it."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from opentelemetry.sdk.trace import SpanProcessor  # noqa: TID251 - handed through to telemetry/providers.py

from payorch_server import version
from payorch_server.app.admin import Readiness
from payorch_server.app.hub_components import HubComponents
from payorch_server.app.hub_reload import HubReloader
from payorch_server.app.hub_watch import HubWatch
from payorch_server.app.loop_lag import measure_loop_lag
from payorch_server.app.process import (
    StartError,
    listen_for_probes,
    open_counted_store,
    publish_certificate,
    publish_streams,
    serve_until_signal,
)
from payorch_server.config.hub_document import HubConfiguration
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.http_listener import HttpListener
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.runtime.listen_address import is_loopback, split_address
from payorch_server.telemetry.logging import LogStreams
from payorch_server.telemetry.providers import start_telemetry
from payorch_server.upc.app import start_hub
from payorch_server.upc.epoch import declare_epoch
from payorch_server.upc.settings import UpcSettings

_LOG: Final = structlog.get_logger("payorch.app")
DRAIN_LIMIT_S: Final = 120.0
"""How long executions may take to record their ends after the hub stopped accepting connections."""
# For jitter; nothing secret depends on it.
_RANDOM: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class HubOptions:
    """What tests and programs replace; a hub in production runs with the defaults."""

    clock: Clock = field(default_factory=SystemClock)
    span_processors: Sequence[SpanProcessor] = ()
    """Further receivers of spans."""
    streams: LogStreams | None = None
    """Where lines go, to be measured."""


@dataclass(slots=True)
class HubApplication:
    """A listening hub."""

    components: HubComponents
    watch: HubWatch
    reloader: HubReloader
    listener: HttpListener | None = None
    """None before it listens."""
    admin_port: int = 0
    is_draining: bool = False

    @property
    def upc_port(self) -> int:
        """Where Zuora's requests come in; 0 before it listens."""
        return self.listener.port if self.listener else 0

    def readiness(self) -> Readiness:
        """Return whether requests can be taken now."""
        details: dict[str, Any] = {
            "draining": self.is_draining,
            "gateways": dict(self.components.gateways.states()),
            "epoch": self.watch.epoch_state(),
            "store": {"warning": self.components.store.warning},
            "refused_change": list(self.reloader.problems),
        }
        return Readiness(self.listener is not None and not self.is_draining, details)

    async def drain(self) -> None:
        """Report that the hub is not ready, wait until load balancers have noticed, and let what is begun end."""
        clock, wait_s = self.components.clock, self.components.settings.drain_wait_s
        _LOG.info("draining", wait_s=wait_s, limit_s=DRAIN_LIMIT_S)
        self.is_draining = True
        if self.listener:
            self.listener.begin_drain()
        await asyncio.sleep(wait_s)
        stopping_s = clock.monotonic()
        self.components.hub.drain()
        connections = await self.listener.drain(timeout_s=DRAIN_LIMIT_S) if self.listener else 0
        # Executions belong to the hub: those whose connections are gone still run.
        left_s = DRAIN_LIMIT_S - (clock.monotonic() - stopping_s)
        executions = await self.components.hub.wait_for_executions(timeout_s=max(left_s, 0.0))
        if connections or executions:
            _LOG.error("executions_cut", executions=executions, connections=connections)


async def start_hub_process(
    configuration: HubConfiguration,
    *,
    stack: AsyncExitStack,
    files: Sequence[Path] = (),
    options: HubOptions | None = None,
) -> HubApplication:
    """Build the hub and listen. What is pushed onto the stack first is closed last.

    Args:
        configuration: That has passed every check.
        stack: Closes everything, telemetry last.
        files: The configuration files to watch; empty: nothing is reloaded.
        options: What tests replace.

    Raises:
        StartError: An address cannot be listened on, or the certificate cannot be used.
    """
    document, own = configuration.document, options or HubOptions()
    components = _build(configuration, own, stack)
    watch = HubWatch(store=components.store, open_records=components.observation.open_records, uniform=_RANDOM.uniform)
    hub = HubApplication(components, watch, HubReloader(files=files, components=components))
    _publish(components, own)
    if document.store.kind == "memory":
        # What an earlier process of the hub had recorded is lost, which its settings accept.
        await declare_epoch(components.store, by="serve", now_s=own.clock.now().timestamp())
    components.gateways.begin()
    stack.push_async_callback(components.gateways.close)
    hub.admin_port = await listen_for_probes(
        document.admin, readiness=hub.readiness, telemetry=components.telemetry, clock=own.clock, stack=stack
    )
    _ = components.tasks.start(watch.watch(), name="watch the store")
    _ = components.tasks.start_shared(measure_loop_lag(components.telemetry.meter, own.clock), name="loop lag")
    hub.listener = await _listen(components, stack)
    if files:
        _ = components.tasks.start(hub.reloader.run(), name="reload")
    _LOG.info("listening", version=version(), upc_port=hub.upc_port, admin_port=hub.admin_port)
    _warn_if_unfit_for_production(document.upc, store_kind=document.store.kind)
    return hub


async def serve_hub(configuration: HubConfiguration, *, files: Sequence[Path], streams: LogStreams) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Args:
        configuration: That has passed every check.
        files: The configuration files to watch.
        streams: Where lines go; their last lines are written before a second signal ends the process.

    Raises:
        StartError: An address cannot be listened on, or the certificate cannot be used.
    """

    async def begin(stack: AsyncExitStack) -> HubApplication:
        return await start_hub_process(configuration, stack=stack, files=files, options=HubOptions(streams=streams))

    await serve_until_signal(begin, streams=streams)


def _build(configuration: HubConfiguration, options: HubOptions, stack: AsyncExitStack) -> HubComponents:
    document, clock = configuration.document, options.clock
    telemetry = start_telemetry(
        document.telemetry, headers=configuration.otlp_headers, processors=options.span_processors, clock=clock
    )
    stack.push_async_callback(asyncio.to_thread, telemetry.shutdown)
    deadlines = Deadlines(clock)
    store = open_counted_store(
        document.store,
        password=configuration.store_password,
        meter=telemetry.meter,
        clock=clock,
        deadlines=deadlines,
    )
    stack.push_async_callback(store.close)
    tasks = TaskOwner()
    stack.push_async_callback(tasks.close)
    try:
        return HubComponents(
            configuration, store=store, clock=clock, tasks=tasks, deadlines=deadlines, telemetry=telemetry
        )
    except OSError as error:
        raise StartError(f"upc.tls: the certificate cannot be used: {error.strerror or error}") from error


def _publish(components: HubComponents, options: HubOptions) -> None:
    meter = components.telemetry.meter
    publish_streams(meter, options.streams.all if options.streams else ())
    components.observation.publish_gateways(components.gateways.states)
    certificate = components.configuration.certificate
    if certificate is not None:
        publish_certificate(meter, lambda: (components.configuration.certificate or certificate).expires_at)


async def _listen(components: HubComponents, stack: AsyncExitStack) -> HttpListener:
    settings, has_tls = components.settings, components.tls is not None
    try:
        return await start_hub(
            settings,
            endpoint=components.endpoint,
            clock=components.clock,
            tls=components.current_tls if has_tls else None,
            stack=stack,
        )
    except OSError as error:
        raise StartError(f"upc.listen: cannot listen on {settings.listen}: {error.strerror}") from error


def _warn_if_unfit_for_production(settings: UpcSettings, *, store_kind: str) -> None:
    if store_kind == "memory":
        _LOG.warning(
            "store_in_memory",
            detail="a restart loses all records, and replicas cannot see each other's",
            accept_memory_store=settings.accept_memory_store,
        )
    host, _ = split_address(settings.listen) or ("", 0)
    if not settings.allow and not is_loopback(host):
        _LOG.warning("upc_open_to_all_addresses", detail="upc.allow lists no networks, so credentials alone decide")
