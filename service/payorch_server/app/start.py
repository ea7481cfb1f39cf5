"""The composition root: builds a service from its configuration, starts its listeners and drains it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import structlog
from opentelemetry.sdk.trace import SpanProcessor  # noqa: TID251 - handed through to telemetry/providers.py

from payorch_server import version
from payorch_server.app.admin import Readiness
from payorch_server.app.components import Components, Resources
from payorch_server.app.gauges import publish
from payorch_server.app.loop_lag import measure_loop_lag
from payorch_server.app.process import StartError, listen_for_probes, open_counted_store, serve_until_signal
from payorch_server.app.reload import Reloader
from payorch_server.calls.recording import CallRecord
from payorch_server.config import AdminSettings, Document, Settings
from payorch_server.intents.executor import EXECUTION_LIMIT_S
from payorch_server.rpc.backlog import Backlog
from payorch_server.rpc.diagnostics import DiagnosticsServicer
from payorch_server.rpc.interceptors.admission import AdmissionInterceptor
from payorch_server.rpc.interceptors.authn import AuthnInterceptor
from payorch_server.rpc.interceptors.authz import AuthzInterceptor
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.interceptors.payloads import PayloadInterceptor
from payorch_server.rpc.interceptors.receive import ReceiveInterceptor
from payorch_server.rpc.interceptors.streams import StreamsInterceptor
from payorch_server.rpc.operator_search import OperatorSearch
from payorch_server.rpc.overload import OpenCalls, OverloadControl
from payorch_server.rpc.payment_orchestration import PaymentOrchestrationServicer, ServicerOptions
from payorch_server.rpc.refusals import Refusals
from payorch_server.rpc.server import Credentials, ListenError, build_diagnostics_server, build_server, listen
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.runtime.listen_address import is_loopback, split_address
from payorch_server.telemetry.instruments import CheapHistogram
from payorch_server.telemetry.logging import LogStreams
from payorch_server.telemetry.providers import start_telemetry
from payorch_server.zuora.retry import MAX_ATTEMPTS
from payorch_server.zuora.transport import open_transports

_LOG: Final = structlog.get_logger("payorch.app")


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What tests and programs replace; a service in production runs with the defaults."""

    clock: Clock = field(default_factory=SystemClock)
    span_processors: Sequence[SpanProcessor] = ()
    """Further receivers of spans."""
    max_attempts: int = MAX_ATTEMPTS
    """How often a call is sent to Zuora at most."""
    streams: LogStreams | None = None
    """Where lines go, to be measured."""


@dataclass(frozen=True, slots=True)
class Interceptors:
    """Interceptors of the whole process, and those of the listener for callers."""

    admission: AdmissionInterceptor
    streams: StreamsInterceptor
    receive: ReceiveInterceptor


@dataclass(frozen=True, slots=True)
class Application:
    """A listening service."""

    grpc_port: int
    admin_port: int
    diagnostics_port: int
    """0 where there is no such listener."""
    components: Components
    server: grpc.aio.Server
    settings: Settings
    interceptors: Interceptors

    async def drain(self) -> None:
        """Report NOT_SERVING, wait until load balancers have noticed, refuse new calls, let the others finish."""
        listener, clock = self.settings.document.grpc, self.components.resources.clock
        _LOG.info("draining", wait_s=listener.drain_wait_s, grace_s=listener.drain_grace_s)
        await self.components.health.drain()
        await asyncio.sleep(listener.drain_wait_s)
        # Watchers have seen NOT_SERVING; only calls are worth the grace.
        self.interceptors.streams.drain()
        self.interceptors.receive.drain()
        stopping_s = clock.monotonic()
        await self.server.stop(listener.drain_grace_s)
        # Executions belong to the service: those whose callers left still run, for as long as one may take.
        taken_s = clock.monotonic() - stopping_s
        left = await self.components.executor.wait_for_executions(timeout_s=max(EXECUTION_LIMIT_S - taken_s, 0.0))
        if left:
            _LOG.error("executions_cut", executions=left)


async def start(
    settings: Settings, *, stack: AsyncExitStack, files: Sequence[Path] = (), options: StartOptions | None = None
) -> Application:
    """Build the service and listen. What is pushed onto the stack first is closed last.

    Args:
        settings: A configuration that has passed every check.
        stack: Closes everything, telemetry last.
        files: The configuration files to watch; empty: nothing is reloaded.
        options: What tests replace.

    Raises:
        StartError: An address cannot be listened on.
    """
    document = settings.document
    resources = _open_resources(settings, options or StartOptions(), stack)
    components = Components(settings, resources)
    reloader = Reloader(files=files, settings_in_use=settings, components=components)
    open_calls = OpenCalls()
    interceptors = _interceptors(document, components, open_calls)
    publish(components, interceptors.admission, version=version())

    ended = _recorder(components)
    server = _build_server(document, components, interceptors, _boundary(document, components, ended))
    open_calls.of_newest_server()
    grpc_port = _listen(server, "grpc", document.grpc.listen, components.credentials)
    await components.begin()
    await server.start()
    stack.push_async_callback(server.stop, None)
    boundary = _boundary(document, components, ended)
    diagnostics_port = await _start_diagnostics(document, components, interceptors, boundary, stack)
    admin_port = await _start_admin(document.admin, components, reloader, stack)
    _ = resources.tasks.start_shared(measure_loop_lag(resources.telemetry.meter, resources.clock), name="loop lag")
    if files:
        _ = resources.tasks.start(reloader.run(), name="reload")

    _LOG.info(
        "listening",
        version=version(),
        grpc_port=grpc_port,
        admin_port=admin_port,
        policy_hash=components.policy.hash,
    )
    _warn_if_unfit_for_production(document)
    return Application(grpc_port, admin_port, diagnostics_port, components, server, settings, interceptors)


async def serve(settings: Settings, *, files: Sequence[Path], streams: LogStreams) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Args:
        settings: A configuration that has passed every check.
        files: The configuration files to watch.
        streams: Where lines go; their last lines are written before a second signal ends the process.

    Raises:
        StartError: An address cannot be listened on.
    """

    async def begin(stack: AsyncExitStack) -> Application:
        return await start(settings, stack=stack, files=files, options=StartOptions(streams=streams))

    await serve_until_signal(begin, streams=streams)


def _open_resources(settings: Settings, options: StartOptions, stack: AsyncExitStack) -> Resources:
    document, clock = settings.document, options.clock
    telemetry = start_telemetry(
        document.telemetry, headers=settings.otlp_headers, processors=options.span_processors, clock=clock
    )
    stack.push_async_callback(asyncio.to_thread, telemetry.shutdown)
    deadlines = Deadlines(clock)
    transports = open_transports(
        settings=document.zuora_http,
        proxy_password=settings.proxy_password,
        version=version(),
        tracer=telemetry.tracer,
        deadlines=deadlines,
        stack=stack,
    )
    store = open_counted_store(
        document.store, password=settings.store_password, meter=telemetry.meter, clock=clock, deadlines=deadlines
    )
    stack.push_async_callback(store.close)
    tasks = TaskOwner()
    stack.push_async_callback(tasks.close)
    streams = options.streams.all if options.streams else ()
    return Resources(transports, store, clock, tasks, deadlines, telemetry, options.max_attempts, streams)


def _recorder(components: Components) -> Callable[[CallRecord], None]:
    """Return what records an ended call, of either listener."""
    durations = CheapHistogram(
        components.resources.telemetry.meter,
        "rpc.server.call.duration",
        ("rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"),
        description="Calls of ours.",
    )

    def ended(record: CallRecord) -> None:
        durations.record(record.duration_s, "grpc", record.method, record.code, record.reason or None)
        components.call_ended(record)

    return ended


def _boundary(document: Document, components: Components, ended: Callable[[CallRecord], None]) -> BoundaryInterceptor:
    """Return the boundary of one listener; it remembers which methods that listener has."""
    resources = components.resources
    return BoundaryInterceptor(
        settings=document.grpc,
        policy=components.policy,
        keyring=components.keyring,
        tracer=resources.telemetry.tracer,
        clock=resources.clock,
        tasks=resources.tasks,
        deadlines=resources.deadlines,
        baggage=document.telemetry.baggage,
        ended=ended,
    )


def _interceptors(document: Document, components: Components, open_calls: OpenCalls) -> Interceptors:
    return Interceptors(
        admission=_admission(document, components, open_calls),
        streams=StreamsInterceptor(limit=document.grpc.max_health_streams),
        receive=ReceiveInterceptor(
            max_request_bytes=document.grpc.max_request_bytes,
            deadlines=components.resources.deadlines,
            keyring=components.keyring,
        ),
    )


def _admission(document: Document, components: Components, open_calls: OpenCalls) -> AdmissionInterceptor:
    loop = asyncio.get_running_loop()
    backlog = Backlog(clock=components.resources.clock, call_later=loop.call_later, call_soon=loop.call_soon)
    overload = OverloadControl(backlog, max_delay_s=document.grpc.max_start_delay_s, count_open=open_calls.count)
    refusals = Refusals(count=components.calls.count_refusal)
    return AdmissionInterceptor(document.grpc, refusals=refusals, backlog=backlog, overload=overload)


def _build_server(
    document: Document, components: Components, interceptors: Interceptors, boundary: BoundaryInterceptor
) -> grpc.aio.Server:
    options = ServicerOptions(components.keyring, document.payment_methods, document.sessions)
    return build_server(
        settings=document.grpc,
        servicer=PaymentOrchestrationServicer(options),
        interceptors=(
            interceptors.admission,
            interceptors.streams,
            boundary,
            AuthnInterceptor(identities=components.identities, clock=components.resources.clock),
            AuthzInterceptor(),
            interceptors.receive,
            PayloadInterceptor(document.telemetry),
        ),
        health=components.health,
    )


async def _start_diagnostics(
    document: Document,
    components: Components,
    interceptors: Interceptors,
    boundary: BoundaryInterceptor,
    stack: AsyncExitStack,
) -> int:
    """Listen for operators, if the configuration names an address; return the port, or 0."""
    if not document.diagnostics.listen:
        return 0
    # No AuthzInterceptor: the servicer checks the right to diagnostics, and for which namespace.
    open_calls = OpenCalls()
    server = build_diagnostics_server(
        settings=document.grpc,
        servicer=DiagnosticsServicer(_operator_search(components), components.entity_statuses),
        interceptors=(
            _admission(document, components, open_calls),
            interceptors.streams,
            boundary,
            AuthnInterceptor(identities=components.identities, clock=components.resources.clock),
            interceptors.receive,
        ),
    )
    open_calls.of_newest_server()
    host, _ = split_address(document.diagnostics.listen) or ("", 0)
    credentials = None if is_loopback(host) else components.credentials
    port = _listen(server, "diagnostics", document.diagnostics.listen, credentials)
    await server.start()
    stack.push_async_callback(server.stop, None)
    return port


def _operator_search(components: Components) -> OperatorSearch:
    return OperatorSearch(
        call_history=components.call_history,
        ledger=components.executor.ledger,
        unsettled=components.unsettled,
        keyring=components.keyring,
        clock=components.resources.clock,
    )


def _listen(server: grpc.aio.Server, section: str, address: str, credentials: Credentials | None) -> int:
    try:
        return listen(server, address, credentials)
    except ListenError as error:
        raise StartError(f"{section}.listen: {error}") from error


async def _start_admin(
    settings: AdminSettings, components: Components, reloader: Reloader, stack: AsyncExitStack
) -> int:
    def readiness() -> Readiness:
        tenants, obstacles = components.health.states, components.money.obstacles
        details = {
            "tenants": dict(tenants),
            # Without effect on readiness, because every replica has the same obstacles.
            "money": {"accepted": not obstacles, "obstacles": list(obstacles)},
            "store": {"warning": components.resources.store.warning},
            "issuer_key_ages_s": dict(components.issuer_keys.ages_s()),
            "policy_hash": components.policy.hash,
            "refused_change": list(reloader.problems),
        }
        return Readiness(any(tenants.values()), details)

    own = components.resources
    return await listen_for_probes(settings, readiness=readiness, telemetry=own.telemetry, clock=own.clock, stack=stack)


def _warn_if_unfit_for_production(document: Document) -> None:
    if document.store.kind == "memory":
        _LOG.warning(
            "store_in_memory",
            detail="a restart loses all intents, and replicas cannot see each other's",
            accept_memory_store=document.accept_memory_store,
        )
    if document.access is None:
        _LOG.warning("no_access_policy", detail="every caller on this machine may do everything")
