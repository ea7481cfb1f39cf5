"""A hub on virtual time over a memory store, with a gateway whose behaviour a test scripts."""

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from payorch_server.model.money import Amount
from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue, StoreUnavailable
from payorch_server.upc.answers import HubAnswer, Situation
from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Result,
    Silence,
)
from payorch_server.upc.gateway_port import Gateway
from payorch_server.upc.hub import Hub
from payorch_server.upc.hub_ledger import EPOCH_KEY, EPOCH_TTL_S
from payorch_server.upc.hub_parts import HubCallNotes, HubParts
from payorch_server.upc.request import (
    Account,
    CustomMethod,
    HubRequest,
    Operation,
    Payment,
    Refund,
    UnusableRequest,
    Validation,
)
from payorch_server.upc.settings import HubCredentialSettings, HubSettings, PluginSettings
from programs.simulation.clock import SimulatedClock
from programs.simulation.loop import VirtualLoop

from harness.keyring import counted_entropy, keyring
from harness.memory_records import empty

T = TypeVar("T")

LIMIT_S: Final = 45.0
TENANT: Final = "12368"
NO_TEXTS: Final[dict[str, str]] = {}
HUB: Final = HubSettings(tenants=(TENANT,), credentials=(HubCredentialSettings("zuora", "/none"),))
PLUGIN: Final = PluginSettings(
    hub="main", names=("UPC_Token",), types=("AmazonPay__c_12368",), target="dns:///amazon:50051"
)
DESCRIPTION: Final = GatewayDescription(
    "amazon-pay", "1", frozenset(Operation), frozenset(), looks_up=True, idempotent_for=timedelta(days=30)
)
APPROVED: Final = GatewayOutcome(Result.APPROVED, "601", "Approved.", "180404672", "20998810")
DECLINED: Final = GatewayOutcome(Result.DECLINED, "51", "Declined.", "180404673")
ERROR: Final = NoOutcome(Silence.ERROR, "UNAVAILABLE")
METHOD: Final = CustomMethod("4028818579a43c3f0179aba2808103e8", "AmazonPay__c_12368", Secret({"AmazonToken": "3s"}))


def payment(id_: str = "pay-1", amount: str = "200", **changes: Any) -> HubRequest:
    """Make a payment."""
    subject = Payment(id_, "P-00000011", Amount(Decimal(amount), "USD"))
    request = HubRequest(TENANT, "UPC_Token", METHOD, subject, Account(), Secret(NO_TEXTS), Secret(b""))
    return dataclasses.replace(request, **changes)


def refund(id_: str = "ref-1", payment_id: str = "pay-1") -> HubRequest:
    """Make a refund."""
    return payment(subject=Refund(id_, "R-00000005", Decimal("20.5"), payment_id))


def validation(token: str = "3s") -> HubRequest:  # noqa: S107 - a token of a test
    """Make a validation."""
    method = CustomMethod("", "AmazonPay__c_12368", Secret({"AmazonToken": token}))
    return payment(subject=Validation(None), method=method)


Behaviour = Callable[["FakeGateway", HubRequest, CallFacts], Awaitable[GatewayOutcome | NoOutcome | NotSent]]


@dataclass(slots=True)
class FakeGateway:
    """A gateway that keeps the contract, except where a behaviour does not; it knows what it was asked."""

    name: str = "amazon"
    settings: PluginSettings = PLUGIN
    description: GatewayDescription | NotSent = DESCRIPTION
    behaviours: list[Behaviour] = field(default_factory=list)
    """Of the next calls; afterwards it approves."""
    in_flight: int = 0
    effects: dict[str, GatewayOutcome] = field(default_factory=dict)
    """By key, once per key."""
    charges: list[str] = field(default_factory=list)
    """Keys under which money moved, one entry for each time."""
    calls: list[CallFacts] = field(default_factory=list)
    look_ups: int = 0
    looked_up: list[GatewayOutcome | NotHeardOf | NoOutcome] = field(default_factory=list)
    """Answers of the next look-ups; afterwards it answers from its effects."""

    async def describe(self, *, deadline_s: float) -> GatewayDescription | NotSent:
        """Describe the gateway."""
        del deadline_s
        await asyncio.sleep(0.001)
        return self.description

    async def call(
        self, request: HubRequest, facts: CallFacts, *, deadline_s: float
    ) -> GatewayOutcome | NoOutcome | NotSent:
        """Answer as the next behaviour does, until the deadline."""
        self.calls.append(facts)
        behaviour = self.behaviours.pop(0) if self.behaviours else approve
        self.in_flight += 1
        try:
            async with asyncio.timeout_at(deadline_s):
                return await behaviour(self, request, facts)
        except TimeoutError:
            return NoOutcome(Silence.DEADLINE, "DEADLINE_EXCEEDED")
        finally:
            self.in_flight -= 1

    async def look_up(
        self,
        request: HubRequest,
        key: str,
        *,
        deadline_s: float,
    ) -> GatewayOutcome | NotHeardOf | NoOutcome:
        """Answer from what was done under the key."""
        del request, deadline_s
        self.look_ups += 1
        await asyncio.sleep(0.01)
        if self.looked_up:
            return self.looked_up.pop(0)
        return self.effects.get(key, NotHeardOf())

    def effect(self, key: str, outcome: GatewayOutcome) -> GatewayOutcome:
        """Have an effect under a key, once."""
        if key not in self.effects:
            self.effects[key] = outcome
            if outcome.result is Result.APPROVED:
                self.charges.append(key)
        return self.effects[key]


async def approve(gateway: FakeGateway, _request: HubRequest, facts: CallFacts) -> GatewayOutcome:
    """Approve within a tenth of a second."""
    await asyncio.sleep(0.1)
    return gateway.effect(facts.idempotency_key, APPROVED)


async def decline(gateway: FakeGateway, _request: HubRequest, facts: CallFacts) -> GatewayOutcome:
    """Decline, unless the key has had another effect."""
    await asyncio.sleep(0.1)
    return gateway.effect(facts.idempotency_key, DECLINED)


async def charge_and_fail(gateway: FakeGateway, _request: HubRequest, facts: CallFacts) -> NoOutcome:
    """Approve, and lose the answer."""
    gateway.effect(facts.idempotency_key, APPROVED)
    return ERROR


async def fail_before_charging(_gateway: FakeGateway, _request: HubRequest, _facts: CallFacts) -> NoOutcome:
    """Fail with a gRPC error before anything was done."""
    return ERROR


async def forget_and_decline(gateway: FakeGateway, _request: HubRequest, facts: CallFacts) -> GatewayOutcome:
    """Decline as a duplicate, as a gateway does that has lost the key of its own charge."""
    return GatewayOutcome(Result.DECLINED, "duplicate")


async def never_answer(gateway: FakeGateway, _request: HubRequest, facts: CallFacts) -> GatewayOutcome:
    """Charge, and stay silent until the deadline."""
    gateway.effect(facts.idempotency_key, APPROVED)
    await asyncio.sleep(1_000)
    return APPROVED


def behave(outcome: GatewayOutcome | NoOutcome | NotSent) -> Behaviour:
    """Answer in one way, without an effect."""

    async def answer(
        _gateway: FakeGateway, _request: HubRequest, _facts: CallFacts
    ) -> GatewayOutcome | NoOutcome | NotSent:
        return outcome

    return answer


class FakeDirectory:
    """The gateways of the settings."""

    def __init__(self, gateways: Iterable[FakeGateway]) -> None:
        self.gateways = {gateway.name: gateway for gateway in gateways}

    def find(
        self,
        *,
        hub: str,
        gateway_name: str,
        tenant_id: str,
        method_type: str,
    ) -> Gateway | None:
        """Return the first one that fits."""
        del tenant_id
        for gateway in self.gateways.values():
            types = {name.lower() for name in gateway.settings.types}
            is_named = gateway_name in gateway.settings.names and method_type.lower() in types
            if is_named and gateway.settings.hub == hub:
                return gateway
        return None

    def named(self, name: str) -> Gateway | None:
        """Return the one with a name."""
        return self.gateways.get(name)


class BrittleStore:
    """A memory store that fails for as long as a test wants, for a kind of operation."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.failing: set[str] = set()
        """Names of operations that fail."""
        self.failing_late: set[str] = set()
        """Names of operations that take effect and fail."""

    async def get(self, key: str) -> StoredValue | None:
        """Return what is stored."""
        return await self._do("get", lambda: self.inner.get(key))

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        """Store a value."""
        return await self._do("put", lambda: self.inner.put_if_absent(key, value, ttl_s=ttl_s, version=version))

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace a value."""
        return await self._do("set", lambda: self.inner.compare_and_set(key, value, version=version, ttl_s=ttl_s))

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete a value."""
        return await self._do("delete", lambda: self.inner.compare_and_delete(key, version=version))

    warning = ""

    async def check(self) -> None:
        """Nothing to check."""

    async def close(self) -> None:
        """Nothing is open."""

    async def _do(self, operation: str, work: Callable[[], Awaitable[T]]) -> T:
        if operation in self.failing:
            raise StoreUnavailable("cannot be reached")
        result = await work()
        if operation in self.failing_late:
            raise StoreUnavailable("the answer was lost")
        return result


@dataclass(slots=True)
class Observer:
    """Remembers what was observed."""

    alarms: list[Situation] = field(default_factory=list)
    open: set[str] = field(default_factory=set)

    def needs_people(
        self,
        situation: Situation,
        *,
        key: str,
        operation: str,
        gateway: str,
    ) -> None:
        """Remember an alarm."""
        del key, operation, gateway
        self.alarms.append(situation)

    def plugin_called(self, *, gateway: str, method: str, result: str, duration_s: float) -> None:
        """Nothing is measured."""

    def opened(self, key: str, *, gateway: str, first_send_s: float) -> None:
        """Remember an open record."""
        del gateway, first_send_s
        self.open.add(key)

    def settled(self, key: str) -> None:
        """Forget it."""
        self.open.discard(key)


class HubWorld:
    """A store, gateways, and hubs that share them."""

    def __init__(self, *gateways: FakeGateway, declared: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.clock = SimulatedClock(loop.time)
        self.store = BrittleStore(MemoryStore(clock=self.clock, max_entries=10_000))
        self.gateway = gateways[0] if gateways else FakeGateway()
        self.directory = FakeDirectory(gateways or (self.gateway,))
        self.hubs = {"main": HUB, "other": HUB}
        self.observer = Observer()
        self.tasks: list[TaskOwner] = []
        self._entropy = counted_entropy()
        self._declared = declared

    async def begin(self) -> "HubWorld":
        """Declare the first start."""
        if self._declared:
            await self.store.put_if_absent(EPOCH_KEY, b"{}", ttl_s=EPOCH_TTL_S)
        return self

    def hub(self, **changes: Any) -> Hub:
        """Start another replica."""
        self.tasks.append(TaskOwner())
        parts: dict[str, Any] = {
            "store": self.store,
            "keyring": keyring("k1"),
            "directory": self.directory,
            "clock": self.clock,
            "uniform": lambda low, high: (low + high) / 2,
            "entropy": self._entropy,
            "tasks": self.tasks[-1],
            "deadlines": Deadlines(self.clock),
            "keep_s": 400 * 86_400.0,
            "observer": self.observer,
        }
        return Hub(HubParts(**(parts | changes)), lambda: self.hubs)

    async def send(
        self,
        hub: Hub,
        request: HubRequest | UnusableRequest,
        *,
        name: str = "main",
        notes: HubCallNotes | None = None,
    ) -> HubAnswer:
        """Send a request as Zuora does."""
        deadline_s = self.clock.monotonic() + LIMIT_S
        return await hub.answer(name, request, deadline_s=deadline_s, notes=notes or HubCallNotes())

    async def crash(self) -> None:
        """End all executions of all replicas at once, with nothing written."""
        self.store.failing = {"get", "put", "set", "delete"}
        for tasks in self.tasks:
            await tasks.close()
        self.store.failing = set()

    def lose_records(self) -> None:
        """Empty the store."""
        empty(self.store.inner)


def virtually(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on virtual time: waiting takes none."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_awaited(test(*arguments, **named)))

    return run


async def _awaited(work: Awaitable[None]) -> None:
    await work
