"""What a running service consists of between its edges, and how a changed configuration takes its place."""

import asyncio
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.metrics import Meter

from payorch_server.access.callers import access_table
from payorch_server.calls.history import CallHistory
from payorch_server.calls.metrics import CallMetrics
from payorch_server.config import Settings
from payorch_server.intents.executor import IntentExecutor
from payorch_server.intents.ledger import IntentLedger
from payorch_server.model.call_record import CallRecord
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.secret import Secret
from payorch_server.routing.table import RoutingTable
from payorch_server.rpc.health import Health
from payorch_server.rpc.identity import Identities
from payorch_server.rpc.server import Credentials
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import MIN_KEY_BYTES, Keyring
from payorch_server.store.port import Store, StoreUnavailable
from payorch_server.usecases.dispatcher import Dispatcher
from payorch_server.usecases.policy import LivePolicy, Policy
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.metrics import UpstreamMetrics
from payorch_server.zuora.quota import Quota
from payorch_server.zuora.retry import MAX_ATTEMPTS
from payorch_server.zuora.tokens import TokenCache
from payorch_server.zuora.transport import Transport

_LOG: Final = structlog.get_logger("payorch.app")
_WARM_TIMEOUT_S: Final = 15.0
_WARM_RETRY_S: Final = 5.0
# For jitter; nothing secret depends on it.
_RANDOM: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Resources:
    """What lives as long as the process, whatever its configuration becomes."""

    transport: Transport
    store: Store
    clock: Clock
    tasks: TaskOwner
    tracer: trace.Tracer
    meter: Meter
    max_attempts: int = MAX_ATTEMPTS
    """How often a call is sent to Zuora at most."""


class Components:
    """The parts of a running service that calls go through."""

    def __init__(self, settings: Settings, resources: Resources) -> None:
        document, clock, tasks = settings.document, resources.clock, resources.tasks
        self._resources, self.clock = resources, clock
        self._intents = document.intents
        self._max_clock_offset_s = document.zuora_http.max_clock_offset_s
        self.keyring = Keyring(settings.keys or (("process", Secret(os.urandom(MIN_KEY_BYTES))),), entropy=os.urandom)
        self.quota, self.in_flight = Quota(), ConcurrencyLimiter()
        self.calls = CallMetrics(resources.meter, clock=clock)
        self.call_history = CallHistory(settings=document.call_history, store=resources.store, tasks=tasks)
        self.zuora = self._client(settings)
        ledger = IntentLedger(
            store=resources.store,
            keyring=self.keyring,
            clock=clock,
            uniform=_RANDOM.uniform,
            entropy=os.urandom,
        )
        self.executor = IntentExecutor(
            ledger=ledger, clock=clock, tasks=tasks, tracer=resources.tracer, execution_ended=self._execution_ended
        )
        self.policy = LivePolicy(self._policy(settings, self.zuora))
        self.identities = Identities(document.identity, settings.key_set)
        self.credentials = Credentials(settings.certificate) if settings.certificate else None
        self.health = Health(tuple(document.tenants))

    def __repr__(self) -> str:
        return f"Components({self.policy!r})"

    def call_ended(self, record: CallRecord) -> None:
        """Count a call and remember it."""
        self.calls.call_ended(record)
        self.call_history.add(record)

    def _execution_ended(self, record: CallRecord, key: IdempotencyKey) -> None:
        self.calls.execution_ended(record, key)
        self.call_history.add(record)

    def _client(self, settings: Settings) -> ZuoraClient:
        own, metrics = self._resources, UpstreamMetrics(self._resources.meter)
        tokens = TokenCache(
            transport=own.transport,
            clock=own.clock,
            tasks=own.tasks,
            uniform=_RANDOM.uniform,
            fetched=lambda credential, failed: metrics.fetched_token(self.zuora.tenant_of(credential), failed=failed),
        )
        return ZuoraClient(
            tenants=settings.document.tenants,
            secrets=settings.client_secrets,
            transport=own.transport,
            tokens=tokens,
            in_flight=self.in_flight,
            clock=own.clock,
            uniform=_RANDOM.uniform,
            metrics=metrics,
            quota=self.quota,
            max_attempts=own.max_attempts,
        )

    async def begin(self) -> None:
        """Publish that nothing is ready, and make every tenant ready that can be."""
        await self.health.start()
        self._warm(*self.health.states)

    async def verify_credentials(self, fresh: Settings) -> Sequence[str]:
        """Try the credentials that have changed; return what is wrong with them."""
        zuora = self.zuora.successor(fresh.document.tenants, fresh.client_secrets)
        return [problem for tenant in self._changed(zuora, fresh) if (problem := await _tried(zuora, tenant))]

    async def apply(self, fresh: Settings) -> None:
        """Let every call that begins from now on see other settings; those in progress end with theirs."""
        tenants = fresh.document.tenants
        # Everything that can fail comes before the first thing that changes.
        before, zuora = self.policy.hash, self.zuora.successor(tenants, fresh.client_secrets)
        policy = self._policy(fresh, zuora)
        self.zuora, self.policy.current = zuora, policy
        self.identities.key_set = fresh.key_set
        if self.credentials and fresh.certificate:
            self.credentials.adopt(fresh.certificate)
        self.zuora.forget_other_tokens()
        fresh_tenants = [name for name in tenants if name not in self.health.states]
        await self.health.replace(tuple(tenants))
        self._warm(*fresh_tenants)
        _LOG.info("another configuration is in use", policy_hash=self.policy.hash, before=before, tenants=list(tenants))

    def _policy(self, settings: Settings, zuora: ZuoraClient) -> Policy:
        document, clock = settings.document, self._resources.clock
        routing = RoutingTable(tenants=document.tenants, rules=document.routing)
        dispatcher = Dispatcher(
            routing=routing,
            zuora=zuora,
            executor=self.executor,
            clock=clock,
            entropy=os.urandom,
            tracer=self._resources.tracer,
        )
        access = access_table(document.access, namespace=self._intents.namespace)
        return Policy(access, dispatcher, document.verbose)

    def _changed(self, zuora: ZuoraClient, fresh: Settings) -> Sequence[str]:
        """Return the tenants that work now and would be called with other credentials."""
        ready = [name for name, is_ready in self.health.states.items() if is_ready]
        return [
            name
            for name in fresh.document.tenants
            if name in ready and zuora.credential(name) != self.zuora.credential(name)
        ]

    def _warm(self, *tenants: str) -> None:
        for tenant in tenants:
            _ = self._resources.tasks.start(self._until_ready(tenant), name=f"warm {tenant}")

    async def _until_ready(self, tenant: str) -> None:
        """Try the store and the tenant's first token until both work; a dead one must not end the process."""
        while tenant in self.health.states:
            try:
                await self._resources.store.check()
                offset_s = await self.zuora.warm(tenant, timeout_s=_WARM_TIMEOUT_S)
            except (CallError, StoreUnavailable) as error:
                detail = str(error)
            else:
                if offset_s is None or abs(offset_s) <= self._max_clock_offset_s:
                    await self.health.warmed(tenant)
                    return
                detail = f"the clocks of Zuora and of this machine differ by {offset_s:.0f} s"
                # The offset is that of the moment when the token was issued, so the next look needs another token.
                self.zuora.forget_token(tenant)
            _LOG.warning("tenant is not ready", tenant=tenant, detail=detail, retry_s=_WARM_RETRY_S)
            await asyncio.sleep(_WARM_RETRY_S)


async def _tried(zuora: ZuoraClient, tenant: str) -> str:
    try:
        await zuora.warm(tenant, timeout_s=_WARM_TIMEOUT_S)
    except CallError as error:
        return f"tenants.{tenant}: the changed credentials do not work yet: {error}"
    return ""
