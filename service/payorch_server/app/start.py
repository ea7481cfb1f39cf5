"""The composition root: what a running service is made of, and in which order it ends."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import structlog
from opentelemetry.sdk.trace import SpanProcessor  # noqa: TID251 - handed through to telemetry/providers.py

from payorch_server.app.admin import Readiness, start_admin
from payorch_server.app.components import Components, Resources
from payorch_server.app.gauges import publish
from payorch_server.app.reload import Reloader
from payorch_server.config import Document, Settings, split_address
from payorch_server.intents.executor import EXECUTION_LIMIT_S
from payorch_server.model.call_record import CallRecord
from payorch_server.model.command_error import CommandError
from payorch_server.rpc.diagnostics import QUESTION_CHECKS, DiagnosticsServicer
from payorch_server.rpc.interceptors.admission import AdmissionInterceptor
from payorch_server.rpc.interceptors.authn import AuthnInterceptor
from payorch_server.rpc.interceptors.authz import AuthzInterceptor
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.interceptors.payloads import PayloadInterceptor
from payorch_server.rpc.interceptors.validate import ValidateInterceptor
from payorch_server.rpc.payment_orchestration import (
    FURTHER_CHECKS,
    REQUEST_TYPES,
    PaymentOrchestrationServicer,
    ServicerOptions,
)
from payorch_server.rpc.server import ListenError, build_diagnostics_server, build_server, listen
from payorch_server.rpc.validation import Validator
from payorch_server.runtime.buckets import BUCKETS_S
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.runtime.lifecycle import TaskOwner, termination
from payorch_server.store.counted import CountedStore
from payorch_server.store.factory import open_store
from payorch_server.store.port import Store
from payorch_server.telemetry.providers import Telemetry, start_telemetry
from payorch_server.zuora.retry import MAX_ATTEMPTS
from payorch_server.zuora.transport import open_transport

_LOG: Final = structlog.get_logger("payorch.app")


class StartError(CommandError):
    """The service cannot start, for a reason that a sentence can tell."""


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
    clock: Clock

    async def drain(self) -> None:
        """End politely: say NOT_SERVING, wait for balancers, refuse new calls, let the others finish."""
        rpc = self.settings.document.grpc
        _LOG.info("draining", wait_s=rpc.drain_wait_s, grace_s=rpc.drain_grace_s)
        await self.components.health.drain()
        await asyncio.sleep(rpc.drain_wait_s)
        stopping_s = self.clock.monotonic()
        await self.server.stop(rpc.drain_grace_s)
        # Flights belong to the service: those whose callers left are still on their way, for as long as one may take.
        taken_s = self.clock.monotonic() - stopping_s
        left = await self.components.executor.wait_for_executions(timeout_s=max(EXECUTION_LIMIT_S - taken_s, 0.0))
        if left:
            _LOG.error("flights were cut", flights=left)


async def start(
    settings: Settings,
    *,
    stack: AsyncExitStack,
    files: Sequence[Path] = (),
    clock: Clock | None = None,
    span_processors: Sequence[SpanProcessor] = (),
    max_attempts: int = MAX_ATTEMPTS,
) -> Application:
    """Build the service and listen. The order of pushes onto the stack is, reversed, the order of closing.

    Args:
        settings: A configuration that has passed every check.
        stack: Closes everything, telemetry last.
        files: Of the configuration, to be watched; none: nothing is reloaded.
        clock: Time; the machine's unless given.
        span_processors: Further receivers of spans.
        max_attempts: How often a call is sent to Zuora at most.

    Raises:
        StartError: A port is taken.
    """
    document, release = settings.document, version("payorch-server")
    clock = clock or SystemClock()
    telemetry = start_telemetry(document.telemetry, processors=span_processors, clock=clock)
    stack.push_async_callback(asyncio.to_thread, telemetry.shutdown)
    transport = open_transport(settings=document.zuora_http, version=release, tracer=telemetry.tracer, stack=stack)
    store = _store(settings, telemetry, clock)
    stack.push_async_callback(store.close)
    tasks = TaskOwner()
    stack.push_async_callback(tasks.close)
    resources = Resources(transport, store, clock, tasks, telemetry.tracer, telemetry.meter, max_attempts)
    components = Components(settings, resources)
    reloader = Reloader(
        files=files,
        settings_in_use=settings,
        clock=clock,
        meter=telemetry.meter,
        verify_credentials=components.verify_credentials,
        apply=components.apply,
    )
    admission = AdmissionInterceptor(max_calls_in_progress=document.grpc.max_calls_in_progress)
    publish(telemetry.meter, components, admission, version=release)
    boundary = _boundary(settings, components, telemetry, clock, tasks)
    server = _server(settings, components, boundary, admission, clock)
    grpc_port = _listen(server, "grpc", document.grpc.listen, components)
    await components.begin()
    await server.start()
    stack.push_async_callback(server.stop, None)
    diagnostics_port = await _start_diagnostics(settings, components, boundary, clock, stack)
    admin_port = await _start_admin(document.admin.listen, components, reloader, telemetry, stack)
    if files:
        _ = tasks.start(reloader.run(), name="reload")
    _LOG.info("listening", grpc_port=grpc_port, admin_port=admin_port, policy_hash=components.policy.hash)
    _warn(document)
    return Application(grpc_port, admin_port, diagnostics_port, components, server, settings, clock)


def _listen(server: grpc.aio.Server, section: str, address: str, components: Components) -> int:
    try:
        return listen(server, address, components.credentials)
    except ListenError as error:
        raise StartError(f"{section}.listen: {error}") from error


def _warn(document: Document) -> None:
    """Say what is accepted although it is not fit for production."""
    if document.store.kind == "memory":
        _LOG.warning("intents are recorded in this process alone", accepted=document.accept_memory_store)
    if document.access is None:
        _LOG.warning("nothing says who may do what, so everybody on this machine may do everything")


def _store(settings: Settings, telemetry: Telemetry, clock: Clock) -> Store:
    failures = telemetry.meter.create_counter(
        "payorch.store.failures", unit="{operation}", description="Operations of the store that failed."
    )
    return CountedStore(
        open_store(settings.document.store, password=settings.store_password, clock=clock),
        failed=lambda operation: failures.add(1, {"operation": operation}),
    )


def _server(
    settings: Settings,
    components: Components,
    boundary: BoundaryInterceptor,
    admission: AdmissionInterceptor,
    clock: Clock,
) -> grpc.aio.Server:
    document = settings.document
    validator = Validator(FURTHER_CHECKS)
    validator.warm(request_type() for request_type in REQUEST_TYPES)
    use_cases = ServicerOptions(components.keyring, document.payment_methods.raw_card_data, document.sessions.max_age_s)
    return build_server(
        settings=document.grpc,
        servicer=PaymentOrchestrationServicer(use_cases),
        interceptors=(
            boundary,
            admission,
            AuthnInterceptor(identities=components.identities, clock=clock),
            AuthzInterceptor(),
            PayloadInterceptor(document.telemetry),
            ValidateInterceptor(validator),
        ),
        health=components.health,
    )


def _boundary(
    settings: Settings, components: Components, telemetry: Telemetry, clock: Clock, tasks: TaskOwner
) -> BoundaryInterceptor:
    durations = telemetry.meter.create_histogram(
        "rpc.server.call.duration",
        unit="s",
        description="Calls of ours.",
        explicit_bucket_boundaries_advisory=BUCKETS_S,
    )

    def ended(record: CallRecord) -> None:
        attributes = {"rpc.system.name": "grpc", "rpc.method": record.method, "rpc.response.status_code": record.code}
        durations.record(record.duration_s, attributes | ({"error.type": record.reason} if record.reason else {}))
        components.call_ended(record)

    document = settings.document
    return BoundaryInterceptor(
        settings=document.grpc,
        policy=components.policy,
        tracer=telemetry.tracer,
        clock=clock,
        tasks=tasks,
        baggage=document.telemetry.baggage,
        ended=ended,
    )


async def _start_diagnostics(
    settings: Settings, components: Components, boundary: BoundaryInterceptor, clock: Clock, stack: AsyncExitStack
) -> int:
    """Listen for operators, if the configuration says where; the right to it is looked at by the servicer."""
    address = settings.document.diagnostics.listen
    if not address:
        return 0
    rpc = settings.document.grpc
    validator = Validator(QUESTION_CHECKS)
    server = build_diagnostics_server(
        settings=rpc,
        servicer=DiagnosticsServicer(components.call_history),
        interceptors=(
            boundary,
            AdmissionInterceptor(max_calls_in_progress=rpc.max_calls_in_progress),
            AuthnInterceptor(identities=components.identities, clock=clock),
            ValidateInterceptor(validator),
        ),
    )
    port = _listen(server, "diagnostics", address, components)
    await server.start()
    stack.push_async_callback(server.stop, None)
    return port


async def serve(settings: Settings, *, files: Sequence[Path]) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Args:
        settings: A configuration that has passed every check.
        files: Of the configuration, to be watched.

    Raises:
        StartError: A port is taken.
    """
    stop = asyncio.Event()
    with termination(on_first=stop.set, on_second=lambda: os._exit(130)):
        async with AsyncExitStack() as stack:
            application = await start(settings, stack=stack, files=files)
            await stop.wait()
            await application.drain()
    _LOG.info("stopped")


async def _start_admin(
    listen: str, components: Components, reloader: Reloader, telemetry: Telemetry, stack: AsyncExitStack
) -> int:
    host, port = split_address(listen) or ("127.0.0.1", 0)

    def ready() -> Readiness:
        return Readiness(components.health.states, components.policy.hash, reloader.problems)

    try:
        return await start_admin(host=host, port=port, ready=ready, exposition=telemetry.exposition, stack=stack)
    except OSError as error:
        raise StartError(f"admin.listen: {listen} cannot be listened on: {error.strerror}") from error
