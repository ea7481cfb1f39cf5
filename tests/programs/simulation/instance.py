"""One process of the service, made of its real parts: what app/start.py builds, without listeners."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from opentelemetry.trace import NoOpTracer
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.access.callers import access_table
from payorch_server.intents.executor import IntentExecutor
from payorch_server.intents.ledger import IntentLedger
from payorch_server.model.errors import CallError
from payorch_server.model.secret import Secret
from payorch_server.routing.settings import RuleSettings
from payorch_server.routing.table import RoutingTable
from payorch_server.rpc.identity import IdentityResolver
from payorch_server.rpc.interceptors.authn import AuthnInterceptor
from payorch_server.rpc.interceptors.authz import AuthzInterceptor
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.payment_orchestration import PaymentOrchestrationServicer, ServicerOptions
from payorch_server.rpc.settings import GrpcSettings, IdentitySettings
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.usecases.dispatcher import Dispatcher
from payorch_server.usecases.policy import LivePolicy, Policy
from payorch_server.usecases.settings import PaymentMethodSettings, SessionSettings
from payorch_server.zuora.breaker import CircuitBreakers
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.clock_offset import TOKEN_OPERATION, ClockOffset, ClockOffsets
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.messages import HttpResponse
from payorch_server.zuora.settings import TenantSettings, ZuoraHttpSettings
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import Credential, TokenCache
from payorch_server.zuora.transport import Transport
from payorch_server.zuora.wires import HttpxWire

from programs.simulation.bookkeeping import Counts, Notes
from programs.simulation.clock import SimulatedClock
from programs.simulation.grpc_context import CONNECTION_LOST, Aborted, Context, Seen, seen_error
from programs.simulation.store import StoreClient

SERVICE = "payorch.v1.PaymentOrchestrationService"
SESSION_MAX_AGE_S = 600.0
# As in app/components.py.
_TOKEN_TIMEOUT_S = 15.0
_PROBE_S = 20.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes an instance is made of; a broken rule is another class in one of these places."""

    dispatcher: type[Dispatcher] = Dispatcher
    executor: type[IntentExecutor] = IntentExecutor
    ledger: type[IntentLedger] = IntentLedger
    zuora: type[ZuoraClient] = ZuoraClient
    clocks: type[ClockOffsets] = ClockOffsets
    boundary: type[BoundaryInterceptor] = BoundaryInterceptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What one version of the service is started with."""

    tenants: Mapping[str, TenantSettings]
    rules: Sequence[RuleSettings]
    secrets: Mapping[str, Secret[str]]
    """Shared and changed in place, as mounted files are."""
    keys: Sequence[tuple[str, Secret[bytes]]]


class _InOrder(dict[Any, None]):
    """A set that keeps the order of insertion, so that equal runs end their tasks in an equal order."""

    def add(self, one: Any) -> None:
        """Put one in."""
        self[one] = None

    def discard(self, one: Any) -> None:
        """Take one out."""
        self.pop(one, None)


class _Owner(TaskOwner):
    def __init__(self) -> None:
        super().__init__()
        self._tasks = _InOrder()  # type: ignore[assignment] # a set in all that is used of it


class _Handlers:
    """Takes the servicer's handlers as a server would."""

    def __init__(self) -> None:
        self.by_method: Mapping[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Nothing is served from these."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Keep the handlers."""
        del service
        self.by_method = handlers


def _chained(interceptors: Sequence[Any], handler: Any) -> Callable[[Any], Awaitable[Any]]:
    """Return what finds the handler through interceptors, outermost first, as a server does."""

    async def found(details: Any) -> Any:
        if not interceptors:
            return handler
        return await interceptors[0].intercept_service(_chained(interceptors[1:], handler), details)

    return found


class Instance:
    """A process that can be killed."""

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        configuration: Configuration,
        http: httpx.AsyncBaseTransport,
        store: StoreClient,
        clock: SimulatedClock,
        rng: random.Random,
        counts: Counts,
        parts: Parts,
        allow_unrecorded: bool,
        notes: Notes,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.accepts = True
        self._notes = notes
        self.configuration = configuration
        self._store = store
        self.clock = clock
        self._rng = rng
        self._counts = counts
        self._owner = _Owner()
        deadlines = Deadlines(clock)
        tracer = NoOpTracer()
        transport = Transport(
            settings=ZuoraHttpSettings(), version="0", wire=HttpxWire(http), tracer=tracer, deadlines=deadlines
        )
        keyring = Keyring(configuration.keys, entropy=rng.randbytes)
        self._clocks = parts.clocks(clock=clock, changed=self._on_clock_judged)
        self._zuora = parts.zuora(
            tenants=TenantDirectory(configuration.tenants, configuration.secrets),
            transport=transport,
            tokens=TokenCache(
                transport=transport,
                clock=clock,
                tasks=self._owner,
                uniform=rng.uniform,
                answered=self._on_token_answer,
            ),
            in_flight=ConcurrencyLimiter(),
            clock=clock,
            uniform=rng.uniform,
            circuits=CircuitBreakers(),
            clocks=self._clocks,
        )
        ledger = parts.ledger(
            store=store,
            keyring=keyring,
            clock=clock,
            uniform=rng.uniform,
            entropy=rng.randbytes,
        )
        self.executor = parts.executor(ledger=ledger, clock=clock, tasks=self._owner, deadlines=deadlines)
        self._count_take_overs()
        self._note_unrecorded()
        self._dispatcher = parts.dispatcher(
            routing=RoutingTable(tenants=configuration.tenants, rules=configuration.rules),
            zuora=self._zuora,
            executor=self.executor,
            clock=clock,
            entropy=rng.randbytes,
        )
        servicer = PaymentOrchestrationServicer(
            ServicerOptions(
                keyring,
                PaymentMethodSettings(allow_unrecorded=allow_unrecorded),
                SessionSettings(max_age_s=SESSION_MAX_AGE_S),
            )
        )
        policy = LivePolicy(Policy(access_table(None, namespace=namespace), self._dispatcher))
        boundary = parts.boundary(
            settings=GrpcSettings(),
            policy=policy,
            keyring=keyring,
            tracer=tracer,
            clock=clock,
            tasks=self._owner,
            deadlines=deadlines,
        )
        authn = AuthnInterceptor(identities=IdentityResolver(IdentitySettings(), None), clock=clock)
        self._interceptors = boundary, authn, AuthzInterceptor()
        handlers = _Handlers()
        service_grpc.add_PaymentOrchestrationServiceServicer_to_server(servicer, handlers)
        self._inner = handlers.by_method
        self._handlers: dict[str, Any] = {}
        self._calls = _InOrder()
        for tenant in configuration.tenants:
            _ = self._owner.start(self._warm(tenant), name=f"warm {tenant}")

    async def _warm(self, tenant: str) -> None:
        """Fetch a first token, whose answer shows Zuora's clock; calls do not wait for it."""
        with contextlib.suppress(CallError):
            await self._zuora.warm(tenant, timeout_s=_TOKEN_TIMEOUT_S)

    def _on_token_answer(self, credential: Credential, answer: HttpResponse, duration_s: float) -> None:
        for tenant in self._zuora.tenants.owners_of(credential):
            self._clocks.note(tenant, answer, operation=TOKEN_OPERATION, duration_s=duration_s)

    def _on_clock_judged(self, tenant: str, judged: ClockOffset) -> None:
        if judged.too_large:
            self._counts.executions["clock offsets found too large"] += 1
            _ = self._owner.start(self._probe_clock(tenant), name=f"probe clock {tenant}")

    async def _probe_clock(self, tenant: str) -> None:
        """Fetch tokens until one's answer shows the right time."""
        while self._clocks.too_large(tenant):
            await asyncio.sleep(self._rng.uniform(_PROBE_S / 2, _PROBE_S))
            with contextlib.suppress(CallError):
                await self._zuora.renew_token(tenant, timeout_s=_TOKEN_TIMEOUT_S)

    def _count_take_overs(self) -> None:
        taken_over = self.executor.ledger._take_over

        def counted(request: Any, *record: Any, **about: Any) -> Any:
            self._counts.executions["take-overs"] += 1
            self._notes.taken_over.add((self.name, request.key))
            return taken_over(request, *record, **about)

        self.executor.ledger._take_over = counted  # type: ignore[method-assign] # to be counted

    def _note_unrecorded(self) -> None:
        claim_unrecorded = self.executor.ledger.claim_unrecorded

        def noted(request: Any, *claimed: Any, **about: Any) -> Any:
            claim = claim_unrecorded(request, *claimed, **about)
            self._counts.executions["unrecorded"] += 1
            self._notes.unrecorded.setdefault((self.name, request.key), []).append(self.clock.monotonic())
            return claim

        self.executor.ledger.claim_unrecorded = noted  # type: ignore[method-assign] # to be noted

    def reload(self, rules: Sequence[RuleSettings]) -> None:
        """Take another routing policy into use."""
        self._dispatcher.routing = RoutingTable(tenants=self.configuration.tenants, rules=rules)

    async def call(
        self,
        rpc: str,
        request: bytes,
        *,
        track_id: str,
        timeout_s: float | None,
        leave_after_s: float | None = None,
        is_retry: bool = False,
    ) -> tuple[Seen, Any]:
        """Serve one call; return what its caller sees, and the response if there is one.

        Args:
            rpc: Name of the method.
            request: The encoded message.
            track_id: The caller's Zuora-Track-Id.
            timeout_s: The caller's deadline.
            leave_after_s: When the caller cancels.
            is_retry: Whether gRPC sent it before.
        """
        metadata = {"zuora-track-id": track_id} | ({"grpc-previous-rpc-attempts": "1"} if is_retry else {})
        context = Context(time=self.clock.monotonic, timeout_s=timeout_s, metadata=metadata)
        handler = await self._handler(rpc)
        work = handler.unary_unary(handler.request_deserializer(request), context)
        task = asyncio.get_running_loop().create_task(work)
        self._calls.add(task)
        try:
            await asyncio.wait((task,), timeout=leave_after_s)
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        finally:
            self._calls.discard(task)
        if task.cancelled():
            return CONNECTION_LOST, None
        error = task.exception()
        if error is None:
            return Seen("SUCCEEDED", "NONE"), task.result()
        if not isinstance(error, Aborted):
            raise error
        return seen_error(context), None

    async def _handler(self, rpc: str) -> Any:
        if rpc not in self._handlers:
            details = _Details(f"/{SERVICE}/{rpc}")
            self._handlers[rpc] = await _chained(self._interceptors, self._inner[rpc])(details)
        return self._handlers[rpc]

    async def kill(self) -> None:
        """End at once: every task stops where it is, and nothing it would still do reaches the store."""
        self.accepts = False
        self._store.dead = True
        for task in (*self._calls, *self._owner._tasks):
            task.cancel()
        await self._owner.close()

    async def drain(self) -> int:
        """End politely; return how many executions were cut."""
        self.accepts = False
        left = await self.executor.wait_for_executions(timeout_s=55.0)
        while self._calls:
            await asyncio.wait(tuple(self._calls))
        await self._owner.close()
        return left


@dataclass(frozen=True, slots=True)
class _Details(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: Any = ()
