"""The components of a running service behind its listeners, and how a changed configuration replaces them."""

import asyncio
import contextlib
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from payorch_server.access.callers import access_table
from payorch_server.app.issuer_keys import fetched_keys, needs_fetched_keys, report_skipped_keys
from payorch_server.app.money_readiness import MoneyReadiness
from payorch_server.calls.history import CallHistory
from payorch_server.calls.metrics import CallMetrics
from payorch_server.calls.recording import CallRecord
from payorch_server.config import Settings
from payorch_server.intents.executor import IntentExecutor
from payorch_server.intents.ledger import IntentLedger
from payorch_server.intents.unsettled import UnsettledIntents
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.secret import Secret
from payorch_server.routing.table import RoutingTable
from payorch_server.rpc.health import Health
from payorch_server.rpc.identity import IdentityResolver
from payorch_server.rpc.server import Credentials
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import MIN_KEY_BYTES, Keyring
from payorch_server.store.port import Store, StoreUnavailable
from payorch_server.telemetry.log_writer import LogWriter
from payorch_server.telemetry.providers import Telemetry
from payorch_server.usecases.dispatcher import Dispatcher
from payorch_server.usecases.policy import LivePolicy, Policy
from payorch_server.zuora.breaker import CircuitBreakers
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.clock_offset import TOKEN_OPERATION, ClockOffset, ClockOffsets
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.entity_status import EntityStatus, entity_statuses
from payorch_server.zuora.messages import HttpResponse
from payorch_server.zuora.metrics import UpstreamMetrics
from payorch_server.zuora.quota import Quota
from payorch_server.zuora.retry import MAX_ATTEMPTS
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import Credential, TokenCache
from payorch_server.zuora.transport import Transports

_LOG: Final = structlog.get_logger("payorch.app")
_WARM_TIMEOUT_S: Final = 15.0
_WARM_RETRY_S: Final = 5.0
# Zuora allows about a hundred token requests a minute from one address.
_PROBE_S: Final = 20.0
# For jitter; nothing secret depends on it.
_RANDOM: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Resources:
    """What lives as long as the process, whatever configuration is in use."""

    transports: Transports
    store: Store
    clock: Clock
    tasks: TaskOwner
    deadlines: Deadlines
    telemetry: Telemetry
    max_attempts: int = MAX_ATTEMPTS
    """How often a call is sent to Zuora at most."""
    streams: Sequence[LogWriter] = ()
    """The log and the audit, where they have writers."""


class Components:
    """The parts of a running service that calls go through."""

    def __init__(self, settings: Settings, resources: Resources) -> None:
        document = settings.document
        self.resources = resources
        self._zuora_http = document.zuora_http
        # A key for this process alone will do where no other replica reads its records.
        self.keyring = Keyring(settings.keys or (("process", Secret(os.urandom(MIN_KEY_BYTES))),), entropy=os.urandom)
        self.quota, self.in_flight, self.circuits = Quota(), ConcurrencyLimiter(), CircuitBreakers()
        self.calls = CallMetrics(resources.telemetry.meter, clock=resources.clock)
        is_shared = document.store.kind != "memory"
        self.call_history = CallHistory(
            settings=document.call_history, store=resources.store, tasks=resources.tasks, is_shared=is_shared
        )
        self.unsettled = UnsettledIntents(
            store=resources.store, clock=resources.clock, tasks=resources.tasks, is_shared=is_shared
        )
        self.clocks = ClockOffsets(
            clock=resources.clock, max_offset_s=self._zuora_http.max_clock_offset_s, changed=self._on_clock_judged
        )
        self._upstream_metrics = UpstreamMetrics(resources.telemetry.meter)
        self._tokens = self._build_tokens()
        self.zuora = self._build_client(settings)
        self.executor = self._build_executor()
        self.policy = LivePolicy(self._build_policy(settings, self.zuora))
        self.issuer_keys = fetched_keys(
            settings,
            clock=resources.clock,
            tasks=resources.tasks,
            deadlines=resources.deadlines,
            uniform=_RANDOM.uniform,
        )
        self._needs_keys = needs_fetched_keys(document)
        report_skipped_keys({}, settings.key_sets)
        self.identities = IdentityResolver(document.identity, settings.key_sets, self.issuer_keys)
        self.credentials = Credentials(settings.certificate) if settings.certificate else None
        self.health = Health(tuple(document.tenants))
        self.money = self._build_money_readiness(audit_required=document.telemetry.audit == "required")

    def __repr__(self) -> str:
        return f"Components({self.policy!r})"

    def call_ended(self, record: CallRecord) -> None:
        """Count an ended call and add it to the call history."""
        self.calls.count_call(record)
        self.call_history.add(record)

    def _execution_ended(self, record: CallRecord, key: IdempotencyKey) -> None:
        self.unsettled.note(record, key)
        self.calls.count_execution(record, key)
        self.call_history.add(record)

    def _build_executor(self) -> IntentExecutor:
        own = self.resources
        ledger = IntentLedger(
            store=own.store, keyring=self.keyring, clock=own.clock, uniform=_RANDOM.uniform, entropy=os.urandom
        )
        return IntentExecutor(
            ledger=ledger,
            clock=own.clock,
            tasks=own.tasks,
            deadlines=own.deadlines,
            tracer=own.telemetry.tracer,
            execution_ended=self._execution_ended,
        )

    def entity_statuses(self) -> Sequence[EntityStatus]:
        """Return what this process knows of each entity of each tenant."""
        statuses = entity_statuses(
            self.zuora.tenants,
            quota=self.quota,
            in_flight=self.in_flight,
            circuits=self.circuits,
            tokens=self._tokens,
            now_s=self.resources.clock.monotonic(),
        )
        return tuple(statuses)

    def _build_tokens(self) -> TokenCache:
        own = self.resources
        return TokenCache(
            transport=own.transports.of_others,
            clock=own.clock,
            tasks=own.tasks,
            uniform=_RANDOM.uniform,
            fetched=lambda credential, failed: self._upstream_metrics.count_fetch(
                self.zuora.tenants.owner_of(credential), failed=failed
            ),
            answered=self._on_token_answer,
        )

    def _build_client(self, settings: Settings) -> ZuoraClient:
        own = self.resources
        return ZuoraClient(
            tenants=TenantDirectory(settings.document.tenants, settings.client_secrets),
            transport=own.transports.of_calls,
            tokens=self._tokens,
            in_flight=self.in_flight,
            clock=own.clock,
            uniform=_RANDOM.uniform,
            metrics=self._upstream_metrics,
            quota=self.quota,
            circuits=self.circuits,
            clocks=self.clocks,
            max_attempts=own.max_attempts,
        )

    def _build_money_readiness(self, *, audit_required: bool) -> MoneyReadiness:
        audits = [stream for stream in self.resources.streams if audit_required and stream.name == "audit"]

        def audit_obstacle() -> str:
            return "the audit cannot be written" if any(stream.is_stalled for stream in audits) else ""

        def clock_obstacle() -> str:
            tenants = self.clocks.too_large_for
            names = ", ".join(tenants)
            return f"the clocks of the service and of Zuora differ too much for {names}" if tenants else ""

        return MoneyReadiness(
            store=self.resources.store,
            obstacles=(audit_obstacle, clock_obstacle),
            publish=lambda accepted: self.health.set_money(accepted=accepted),
            uniform=_RANDOM.uniform,
        )

    def _on_token_answer(self, credential: Credential, answer: HttpResponse, duration_s: float) -> None:
        for tenant in self.zuora.tenants.owners_of(credential):
            self.clocks.note(tenant, answer, operation=TOKEN_OPERATION, duration_s=duration_s)

    def _on_clock_judged(self, tenant: str, judged: ClockOffset) -> None:
        """Log that money of a tenant is refused from now on, and probe until it can move again; or log that it can."""
        offset_s = round(self.clocks.offsets_s()[tenant], 1)
        if judged.too_large:
            _LOG.error("clock_offset_too_large", tenant=tenant, offset_s=offset_s)
            _ = self.resources.tasks.start_shared(self._probe_clock(tenant), name=f"probe clock {tenant}")
        else:
            _LOG.info("clock_offset_within_limit", tenant=tenant, offset_s=offset_s)

    async def _probe_clock(self, tenant: str) -> None:
        """Fetch tokens until one's answer shows the right time: without other calls nothing else would."""
        while self.clocks.too_large(tenant) and tenant in self.health.states:
            await asyncio.sleep(_RANDOM.uniform(_PROBE_S / 2, _PROBE_S))
            # A failed request is remembered: until its pause is over, this sends none.
            with contextlib.suppress(CallError):
                await self.zuora.renew_token(tenant, timeout_s=_WARM_TIMEOUT_S)

    async def begin(self) -> None:
        """Publish that no tenant is ready, and start to warm up all of them."""
        await self.health.start()
        self.issuer_keys.begin()
        self._warm(*self.health.states)
        _ = self.resources.tasks.start(self.money.watch(), name="check what payments need")

    async def verify_credentials(self, fresh: Settings) -> Sequence[str]:
        """Try the credentials that have changed; return the problems with them."""
        zuora = self.zuora.successor(TenantDirectory(fresh.document.tenants, fresh.client_secrets))
        return [
            problem
            for tenant in self._tenants_to_verify(zuora, fresh)
            if (problem := await _credential_problem(zuora, tenant))
        ]

    async def apply(self, fresh: Settings) -> None:
        """Use other settings for every call that begins from now on; calls in progress end with theirs."""
        tenants = fresh.document.tenants
        # Everything that can fail comes before the first change.
        before, zuora = self.policy.hash, self.zuora.successor(TenantDirectory(tenants, fresh.client_secrets))
        policy = self._build_policy(fresh, zuora)
        self.zuora, self.policy.current = zuora, policy
        report_skipped_keys(self.identities.key_sets, fresh.key_sets)
        self.identities.key_sets = fresh.key_sets
        if self.credentials and fresh.certificate:
            self.credentials.replace(fresh.certificate)
        self.resources.telemetry.use_headers(fresh.otlp_headers)
        self.zuora.forget_other_tokens()
        fresh_tenants = [name for name in tenants if name not in self.health.states]
        self.clocks.keep(tuple(tenants))
        await self.health.replace(tuple(tenants))
        self._warm(*fresh_tenants)
        _LOG.info(
            "config_change_applied", policy_hash=self.policy.hash, policy_hash_before=before, tenants=list(tenants)
        )

    def _build_policy(self, settings: Settings, zuora: ZuoraClient) -> Policy:
        document, own = settings.document, self.resources
        routing = RoutingTable(tenants=document.tenants, rules=document.routing)
        dispatcher = Dispatcher(
            routing=routing,
            zuora=zuora,
            executor=self.executor,
            clock=own.clock,
            entropy=os.urandom,
            tracer=own.telemetry.tracer,
            audit_required=document.telemetry.audit == "required",
        )
        access = access_table(document.access, namespace=document.intents.namespace)
        return Policy(access, dispatcher, document.verbose)

    def _tenants_to_verify(self, zuora: ZuoraClient, fresh: Settings) -> Sequence[str]:
        """Return the tenants that are ready and would be called with other credentials."""
        ready = [name for name, is_ready in self.health.states.items() if is_ready]
        return [
            name
            for name in fresh.document.tenants
            if name in ready and zuora.tenants.credential(name) != self.zuora.tenants.credential(name)
        ]

    def _warm(self, *tenants: str) -> None:
        for tenant in tenants:
            _ = self.resources.tasks.start(self._until_ready(tenant), name=f"warm {tenant}")

    async def _until_ready(self, tenant: str) -> None:
        """Try the store and the tenant's first token until both work; a failing tenant must not end the process."""
        if self._needs_keys:
            # A rollout stops here instead of ending the replicas that still have keys.
            await self.issuer_keys.wait_for_first()
        fetch_token = self.zuora.warm
        while tenant in self.health.states:
            try:
                await self.resources.store.check()
                await fetch_token(tenant, timeout_s=_WARM_TIMEOUT_S)
            except StoreUnavailable as error:
                detail, retry_s = str(error), _WARM_RETRY_S
            except CallError as error:
                # Until then the failure is remembered, and no request is sent.
                detail, retry_s = str(error), error.failure.evidence.retry_after_s or _WARM_RETRY_S
            else:
                offset_s = self.clocks.offsets_s().get(tenant, 0.0)
                if abs(offset_s) <= self._zuora_http.max_clock_offset_s:
                    await self.health.set_ready(tenant)
                    return
                detail, retry_s = f"the clocks of Zuora and this machine differ by {offset_s:.0f} s", _WARM_RETRY_S
                # The next answer shows Zuora's clock again.
                fetch_token = self.zuora.renew_token
            _LOG.warning("tenant_not_ready", tenant=tenant, detail=detail, retry_s=round(retry_s, 1))
            await asyncio.sleep(retry_s)


async def _credential_problem(zuora: ZuoraClient, tenant: str) -> str:
    try:
        await zuora.warm(tenant, timeout_s=_WARM_TIMEOUT_S)
    except CallError as error:
        return f"tenants.{tenant}: the changed credentials could not be verified: {error}"
    return ""
