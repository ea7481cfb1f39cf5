"""The composition root: what a running service is made of, and in which order it ends."""

import asyncio
import os
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from opentelemetry.sdk.trace import SpanProcessor  # noqa: TID251 - handed through to runtime/telemetry.py

from payorch_server.admin import start_admin
from payorch_server.config import Settings, split_address
from payorch_server.model.errors import CallError
from payorch_server.model.secret import Secret
from payorch_server.orchestration.access import access_table
from payorch_server.orchestration.dispatch import Dispatcher
from payorch_server.orchestration.intents import FLIGHT_LIMIT_S, Intents
from payorch_server.orchestration.keyring import MIN_KEY_BYTES, Keyring
from payorch_server.orchestration.policy import LivePolicy, Policy
from payorch_server.orchestration.records import Records
from payorch_server.orchestration.routing import RoutingTable
from payorch_server.rpc.health import Health
from payorch_server.rpc.identity import Identities
from payorch_server.rpc.interceptors.admission import AdmissionInterceptor
from payorch_server.rpc.interceptors.authn import AuthnInterceptor
from payorch_server.rpc.interceptors.authz import AuthzInterceptor
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.interceptors.validate import ValidateInterceptor
from payorch_server.rpc.payment_orchestration import (
    FURTHER_CHECKS,
    REQUEST_TYPES,
    PaymentOrchestrationServicer,
    UseCases,
)
from payorch_server.rpc.server import Credentials, ListenError, build_server, listen
from payorch_server.rpc.validation import Validator
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.runtime.lifecycle import TaskOwner, termination
from payorch_server.runtime.telemetry import Telemetry, start_telemetry
from payorch_server.store.opening import open_store
from payorch_server.store.port import Store, StoreUnavailable
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.tokens import TokenCache
from payorch_server.zuora.transport import Transport, open_transport

_LOG: Final = structlog.get_logger("payorch.app")
_WARM_TIMEOUT_S: Final = 15.0
_WARM_RETRY_S: Final = 5.0
# For jitter; nothing secret depends on it.
_RANDOM: Final = random.SystemRandom()


class StartError(Exception):
    """The service cannot start, for a reason that a sentence can tell."""


@dataclass(frozen=True, slots=True)
class Application:
    """A listening service."""

    grpc_port: int
    admin_port: int
    health: Health
    server: grpc.aio.Server
    settings: Settings
    intents: Intents
    clock: Clock

    async def drain(self) -> None:
        """End politely: say NOT_SERVING, wait for balancers, refuse new calls, let the others finish."""
        rpc = self.settings.document.rpc
        _LOG.info("draining", wait_s=rpc.drain_wait_s, grace_s=rpc.drain_grace_s)
        await self.health.drain()
        await asyncio.sleep(rpc.drain_wait_s)
        stopping_s = self.clock.monotonic()
        await self.server.stop(rpc.drain_grace_s)
        # Flights belong to the service: those whose callers left are still on their way, for as long as one may take.
        taken_s = self.clock.monotonic() - stopping_s
        left = await self.intents.settle_flights(timeout_s=max(FLIGHT_LIMIT_S - taken_s, 0.0))
        if left:
            _LOG.error("flights were cut", flights=left)


@dataclass(frozen=True, slots=True)
class _Core:
    """Everything between the edges."""

    use_cases: UseCases
    policy: LivePolicy
    intents: Intents
    zuora: ZuoraClient
    store: Store
    policy_hash: str


async def start(
    settings: Settings,
    *,
    stack: AsyncExitStack,
    clock: Clock | None = None,
    span_processors: Sequence[SpanProcessor] = (),
) -> Application:
    """Build the service and listen. The order of pushes onto the stack is, reversed, the order of closing.

    Args:
        settings: A configuration that has passed every check.
        stack: Closes everything, telemetry last.
        clock: Time; the machine's unless given.
        span_processors: Further receivers of spans.

    Raises:
        StartError: A port is taken.
    """
    document = settings.document
    clock = clock or SystemClock()
    telemetry = start_telemetry(document.telemetry, processors=span_processors)
    stack.push_async_callback(asyncio.to_thread, telemetry.shutdown)
    transport = open_transport(settings=document.http, tracer=telemetry.tracer, stack=stack)
    store = open_store(document.store, password=settings.store_password, clock=clock)
    stack.push_async_callback(store.close)
    tasks = TaskOwner()
    stack.push_async_callback(tasks.close)
    core = _core(settings, transport, store, clock, tasks)
    health = Health(tuple(document.tenants))
    await health.start()
    server = _server(settings, core, health, telemetry, clock)
    credentials = Credentials(settings.certificate) if settings.certificate else None
    try:
        grpc_port = listen(server, document.rpc.listen, credentials)
    except ListenError as error:
        raise StartError(f"rpc.listen: {error}") from error
    await server.start()
    stack.push_async_callback(server.stop, None)
    admin_port = await _start_admin(document.admin.listen, health, stack)
    for tenant in document.tenants:
        _ = tasks.start(_warm(core, health, tenant, document.http.max_clock_offset_s), name=f"warm {tenant}")
    _LOG.info("listening", grpc_port=grpc_port, admin_port=admin_port, policy_hash=core.policy_hash)
    if document.store.kind == "memory":
        _LOG.warning("intents are recorded in this process alone", accepted=document.accept_memory_store)
    return Application(grpc_port, admin_port, health, server, settings, core.intents, clock)


def _core(settings: Settings, transport: Transport, store: Store, clock: Clock, tasks: TaskOwner) -> _Core:
    document = settings.document
    zuora = ZuoraClient(
        tenants=document.tenants,
        secrets=settings.client_secrets,
        transport=transport,
        tokens=TokenCache(transport=transport, clock=clock, tasks=tasks),
        clock=clock,
        uniform=_RANDOM.uniform,
    )
    keyring = Keyring(settings.keys or (("process", Secret(os.urandom(MIN_KEY_BYTES))),), entropy=os.urandom)
    records = Records(
        store=store,
        keyring=keyring,
        clock=clock,
        uniform=_RANDOM.uniform,
        entropy=os.urandom,
    )
    intents = Intents(records=records, clock=clock, tasks=tasks)
    routing = RoutingTable(tenants=document.tenants, rules=document.routing)
    dispatcher = Dispatcher(routing=routing, zuora=zuora, intents=intents, clock=clock, entropy=os.urandom)
    orchestration = document.orchestration
    use_cases = UseCases(keyring, orchestration.raw_card_data, orchestration.session_max_age_s)
    access = access_table(document.access, namespace=orchestration.namespace)
    return _Core(use_cases, LivePolicy(Policy(access, dispatcher)), intents, zuora, store, routing.policy_hash)


def _server(settings: Settings, core: _Core, health: Health, telemetry: Telemetry, clock: Clock) -> grpc.aio.Server:
    document = settings.document
    validator = Validator(FURTHER_CHECKS)
    validator.warm(request_type() for request_type in REQUEST_TYPES)
    boundary = BoundaryInterceptor(settings=document.rpc, policy=core.policy, tracer=telemetry.tracer, clock=clock)
    return build_server(
        settings=document.rpc,
        servicer=PaymentOrchestrationServicer(core.use_cases),
        interceptors=(
            boundary,
            AdmissionInterceptor(max_calls_in_progress=document.rpc.max_calls_in_progress),
            AuthnInterceptor(identities=Identities(document.identity, settings.key_set), clock=clock),
            AuthzInterceptor(),
            ValidateInterceptor(validator),
        ),
        health=health,
    )


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once."""
    stop = asyncio.Event()
    with termination(on_first=stop.set, on_second=lambda: os._exit(130)):
        async with AsyncExitStack() as stack:
            application = await start(settings, stack=stack)
            await stop.wait()
            await application.drain()
    _LOG.info("stopped")


async def _start_admin(listen: str, health: Health, stack: AsyncExitStack) -> int:
    host, port = split_address(listen) or ("127.0.0.1", 0)
    try:
        return await start_admin(host=host, port=port, ready=lambda: health.states, stack=stack)
    except OSError as error:
        raise StartError(f"admin.listen: {listen} cannot be listened on: {error.strerror}") from error


async def _warm(core: _Core, health: Health, tenant: str, max_clock_offset_s: float) -> None:
    """Try the store and the tenant's first token until both work; a dead one must not end the process."""
    while True:
        try:
            await core.store.check()
            offset_s = await core.zuora.warm(tenant, timeout_s=_WARM_TIMEOUT_S)
        except (CallError, StoreUnavailable) as error:
            detail = str(error)
        else:
            if offset_s is None or abs(offset_s) <= max_clock_offset_s:
                await health.warmed(tenant)
                return
            detail = f"the clocks of Zuora and of this machine differ by {offset_s:.0f} s"
        _LOG.warning("tenant is not ready", tenant=tenant, detail=detail, retry_s=_WARM_RETRY_S)
        await asyncio.sleep(_WARM_RETRY_S)
