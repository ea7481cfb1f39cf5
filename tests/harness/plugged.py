"""Requests of Zuora's as the hub decodes them, and gateways that are called over real channels."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from opentelemetry.trace import NoOpTracer, Tracer
from payorch_server.model.money import Amount
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.upc.gateway_outcome import CallFacts
from payorch_server.upc.gateway_port import Gateway, PluginCertificates
from payorch_server.upc.gateways import Gateways
from payorch_server.upc.request import Account, CustomMethod, FieldValue, HubRequest, Payment, Refund, Validation
from payorch_server.upc.settings import HubSettings, PluginSettings

TENANT = "12368"
TYPE = "AmazonPay__c_12368"
GATEWAY_NAME = "UPC_Token"
KEY = "upc1-" + "1" * 40
FACTS = CallFacts(KEY, 1, may_be_repeated=False, first_send=datetime(2026, 11, 20, 12, tzinfo=UTC))
REFUND_FACTS = replace(FACTS, payment_idempotency_key="upc1-" + "2" * 40)
PAYMENT = Payment("4028818579a43c3f0179aba917410419", "P-00000011", Amount(Decimal("200.05"), "USD"))
REFUND = Refund("4028818579a43c3f0179aba6ebfb040d", "R-00000005", Decimal("200.05"), PAYMENT.id, "166435652")
VALIDATION = Validation(Amount(Decimal("1.00"), "USD"))


def hub_request(
    subject: Payment | Refund | Validation = PAYMENT,
    *,
    token_data: Mapping[str, FieldValue] | None = None,
    options: Mapping[str, str] | None = None,
    other_members: bytes = b"",
) -> HubRequest:
    """Return a request with the ids of Zuora's examples."""
    return HubRequest(
        tenant_id=TENANT,
        gateway_name=GATEWAY_NAME,
        method=CustomMethod("4028818579a43c3f0179aba2808103e8", TYPE, Secret(token_data or {})),
        subject=subject,
        account=Account("A00000004", "USD"),
        gateway_options=Secret(options or {}),
        other_members=Secret(other_members),
    )


def hub_settings(*tenants: str) -> HubSettings:
    """Return the settings of a hub for tenants."""
    return HubSettings(tenants=tenants or (TENANT,), credentials=())


def plugin_settings(target: str, *, hub: str = "main", types: Sequence[str] = (TYPE,)) -> PluginSettings:
    """Return the settings of a gateway."""
    return PluginSettings(hub=hub, names=(GATEWAY_NAME,), types=tuple(types), target=target)


@dataclass(slots=True)
class CountedCalls:
    """Keeps what gateways report."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    """Method and result of all calls except DescribeGateway."""
    descriptions: list[str] = field(default_factory=list)
    """Results of DescribeGateway."""
    broken: list[str] = field(default_factory=list)
    """Rules of the contract that were broken."""

    def plugin_called(self, *, gateway: str, method: str, result: str, duration_s: float) -> None:
        """Keep it."""
        assert (gateway, duration_s >= 0) == ("amazon", True)
        if method == "DescribeGateway":
            self.descriptions.append(result)
        else:
            self.calls.append((method, result))

    def contract_broken(self, *, gateway: str, rule: str) -> None:
        """Keep it."""
        assert gateway == "amazon"
        self.broken.append(rule)


@dataclass(slots=True)
class Plugged:
    """Gateways that are called over real channels; the one named `amazon` among them."""

    gateways: Gateways
    counted: CountedCalls
    clock: Clock

    @property
    def amazon(self) -> Gateway:
        """The gateway in question."""
        gateway = self.gateways.named("amazon")
        assert gateway is not None
        return gateway

    def within(self, seconds: float = 10.0) -> float:
        """Return a deadline."""
        return self.clock.monotonic() + seconds


@asynccontextmanager
async def aclosed_tasks() -> AsyncIterator[TaskOwner]:
    """Own tasks, and end what is left of them."""
    tasks = TaskOwner()
    try:
        yield tasks
    finally:
        await tasks.close()


@asynccontextmanager
async def plugged(
    target: str,
    *,
    certificates: PluginCertificates | None = None,
    clock: Clock | None = None,
    tracer: Tracer | None = None,
    linger_s: float = 60.0,
) -> AsyncIterator[Plugged]:
    """Open a channel to a plug-in."""
    clock, counted = clock or SystemClock(), CountedCalls()
    async with aclosed_tasks() as tasks:
        gateways = Gateways(
            {"amazon": plugin_settings(target)},
            {"main": hub_settings()},
            {"amazon": certificates} if certificates else {},
            clock=clock,
            tasks=tasks,
            tracer=tracer or NoOpTracer(),
            observer=counted,
            linger_s=linger_s,
        )
        gateways.begin()
        try:
            yield Plugged(gateways, counted, clock)
        finally:
            await gateways.close()
