from typing import Any

import pytest
from harness.clock import FakeClock
from harness.intents import FixedFingerprints, at_most, intent_executor
from harness.routes import context, tenant
from harness.scripted_http import ScriptedTransport, transport_over
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import RequestId
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import RouteHints
from payorch_server.model.secret import Secret
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.settings import RuleSettings, TargetSettings
from payorch_server.routing.table import RoutingTable
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.usecases.create_payment_method import CreatePaymentMethod, create_payment_method
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent
from payorch_server.usecases.settings import PaymentMethodSettings
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.resources.payment_methods import (
    CREATED_BY_V1,
    CREATED_BY_V2,
    REFUSED,
    CreatedPaymentMethod,
    PaymentMethodRequest,
)
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache


async def create(
    wire: ScriptedTransport, kind: str, members: dict[str, Any], *, raw: bool = False
) -> CallResult[CreatedPaymentMethod]:
    """Run the use case as a dry run over the wire."""
    clock, transport, tenants = FakeClock(), transport_over(wire), {"acme": tenant(entities={})}
    tokens = TokenCache(transport=transport, clock=clock, tasks=TaskOwner(), uniform=lambda low, _high: low)
    zuora = ZuoraClient(
        tenants=TenantDirectory(tenants, {"acme": Secret("s")}),
        transport=transport,
        tokens=tokens,
        in_flight=ConcurrencyLimiter(),
        clock=clock,
        uniform=at_most,
    )
    routing = RoutingTable(tenants=tenants, rules=[RuleSettings("all", TargetSettings("acme", "cards"))])
    query = RouteQuery("CreatePaymentMethod", RouteHints())
    command = CreatePaymentMethod(
        Intent(RequestId("request-0000-0001"), query, validate_only=True, fingerprints=FixedFingerprints({})),
        PaymentMethodRequest(kind, members),
    )
    dispatcher = Dispatcher(routing=routing, zuora=zuora, executor=intent_executor(clock), clock=clock, entropy=bytes)
    return await create_payment_method(
        command, context=context(), dispatcher=dispatcher, settings=PaymentMethodSettings(raw_card_data=raw)
    )


class TestCreatePaymentMethod:
    """The kind decides which operation creates the method."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("kind", sorted(REFUSED))
    async def test_refuses_what_zuora_documents_in_contradiction(self, kind: str) -> None:
        """The caller learns the type and why."""
        with pytest.raises(CallError) as caught:
            await create(ScriptedTransport(), kind, {})

        assert caught.value.verdict.outcome is Outcome.NOT_SENT

        failed = caught.value.failure
        assert failed.reason is Reason.PAYMENT_METHOD_TYPE_UNSUPPORTED
        assert dict(failed.metadata) == {"methodType": kind, "why": REFUSED[kind]}

    @pytest.mark.asyncio
    async def test_refuses_card_numbers_unless_they_are_switched_on(self) -> None:
        """Off by default: it widens the scope of PCI DSS."""
        with pytest.raises(CallError) as caught:
            await create(ScriptedTransport(), "card", {"number": Secret("4111111111111111")})

        assert caught.value.failure.reason is Reason.RAW_CARD_DATA_DISABLED

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("kind", "members", "path", "reason"),
        [
            ("card", {"number": Secret("4111111111111111")}, "/v2/payment_methods", "switched on"),
            ("sepa_debit", {"iban": Secret("DE89370400440532013000")}, "/v2/payment_methods", "a Quickstart type"),
            ("adyen_google_pay", {"token_json": Secret("{}")}, "/v1/payment-methods", "a type of v1"),
            ("custom", {"type": "Pay__c_1", "fields": {}}, "/v1/payment-methods", "a custom type"),
        ],
    )
    async def test_picks_the_operation(self, kind: str, members: dict[str, Any], path: str, reason: str) -> None:
        """A dry run shows the URL and sends nothing."""
        wire = ScriptedTransport()

        done = await create(wire, kind, members, raw=True)

        assert done.preview is not None
        assert (done.preview.url, done.value, wire.requests) == (f"https://zuora.test{path}", None, []), reason
        assert "4111111111111111" not in done.preview.body
        assert "DE89370400440532013000" not in done.preview.body

    def test_knows_every_kind_of_the_contract_once(self) -> None:
        """The three tables divide the arms of the proto among them."""
        arms = [
            field.name for field in service_pb2.CreatePaymentMethodRequest.DESCRIPTOR.oneofs_by_name["method"].fields
        ]

        assert sorted([*CREATED_BY_V2, *CREATED_BY_V1, *REFUSED]) == sorted(arms)
