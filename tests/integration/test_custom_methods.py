"""Methods of custom types, from our API through Zuora to a payment hub and back."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import grpc
import pytest
from contract.scripted_hub import (
    CUT,
    DECLINED,
    METHOD,
    UNKNOWN,
    HubbedCaller,
    Script,
    ScriptedHub,
    compact,
    listening,
)
from contract.zuora_caller import caller_with
from harness.calls import refusal
from harness.requests import payment_method_request
from harness.stack import TENANT, LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.model.money import Amount
from payorch_server.model.secret import reveal  # noqa: TID251 - to compare token data
from payorch_server.upc.hub_decode import decode
from payorch_server.upc.request import HubRequest, Payment, Refund
from zuora_emulator import Emulator, HttpHubCaller, Settings, seed

Stub = service_grpc.PaymentOrchestrationServiceStub
OVER: Mapping[str, Any] = {
    "tenants": {
        TENANT: {
            "gateways": {"hub": {"id": seed.UPC_GATEWAY_ID, "label": "UPC_Token"}},
            "declines": [{"code": "53010060", "message": "Transaction declined."}],
        }
    },
    "routing": [{"name": "custom", "when": {}, "to": {"tenant": TENANT, "entity": "us", "gateway": "hub"}}],
}


@asynccontextmanager
async def stack_with(hub: ScriptedHub) -> AsyncIterator[LocalStack]:
    """Start the service, the emulator and the hub over sockets."""
    async with listening(hub):
        emulator = Emulator(
            settings=Settings(upc_allow_local_endpoints=True),
            upc=seed.upc_with(hub.url),
            hub_caller=HttpHubCaller(),
        )
        async with running(emulator=emulator, tenants=(TENANT,), over=OVER) as stack:
            yield stack


def custom_request() -> service_pb2.CreatePaymentMethodRequest:
    """Return a request for a method of the emulator's sample type."""
    request = payment_method_request()
    request.custom.type = seed.AMAZON_PAY.full_name
    for name in ("amazonAccount", "amazonToken"):
        request.custom.fields[name].text = f"secret of {name}"
    return request


@pytest.mark.asyncio
async def test_a_custom_method_is_created_when_the_hub_approves() -> None:
    """The hub sees the fields under their defined names, and its changes are stored."""
    changed = {"responseCode": "Approved", "upcTokenData": compact({"AmazonToken": "new"}).decode()}
    hub = ScriptedHub(script=[(200, changed)])
    async with stack_with(hub) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        answer = await Stub(channel).CreatePaymentMethod(custom_request(), timeout=10)

        stored = stack.emulator.state.payment_methods[answer.payment_method.id]

    (request,) = hub.requests
    assert request.json["operation"] == "Validate"
    assert request.json["paymentMethod"]["upcTokenData"]["AmazonToken"] == "secret of amazonToken"
    assert (stored.token_data["AmazonAccount"], stored.token_data["AmazonToken"]) == ("secret of amazonAccount", "new")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (DECLINED, "PAYMENT_DECLINED"),
        ((401, {}), "PAYMENT_DECLINED"),
        (UNKNOWN, "UPSTREAM_INTERNAL"),
        (CUT, "UPSTREAM_INTERNAL"),
    ],
)
async def test_a_custom_method_is_not_created_without_the_hubs_approval(script: Script, reason: str) -> None:
    """What the hub declined is a decline; what is not known stays a fault."""
    hub = ScriptedHub(script=[script])
    async with stack_with(hub) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        error = await refusal(Stub(channel).CreatePaymentMethod(custom_request(), timeout=10))

        assert stack.emulator.state.payment_methods == {}

    assert (error.reason, len(hub.requests)) == (reason, 1)


SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "upc_amounts": ("text", "number"),
    "upc_validate_method_id": (False, True),
    "upc_token_data": ("object", "string"),
    "upc_level_2_data": (False, True),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("values", list(itertools.product(*SWITCHES.values())))
async def test_whatever_the_emulator_sends_is_read_by_the_hub(values: tuple[Any, ...]) -> None:
    """The emulator and the decoder were written from the same pages, independently of each other."""
    hub = ScriptedHub()
    settings = Settings(upc_allow_local_endpoints=True, **dict(zip(SWITCHES, values, strict=True)))
    caller = caller_with(settings, upc=seed.upc_with(hub.url), hub_caller=hub)
    async with caller.http:
        hubbed = HubbedCaller(caller, hub)
        method_id = (await hubbed.method()).json()["id"]
        payment = (await hubbed.pay(method_id=method_id, amount=19.9, softDescriptor="ACME")).json()
        refund = (await hubbed.refund(payment["id"], amount=9.95, gatewayOptions={"Mode": "moto"})).json()

    validated, paid, refunded = (decode(request.body) for request in hub.requests)

    assert isinstance(validated, HubRequest)
    assert isinstance(paid, HubRequest)
    assert isinstance(refunded, HubRequest)
    assert [request.operation for request in (validated, paid, refunded)] == ["Validate", "Payment", "Refund"]
    assert [request.subject.id for request in (validated, paid, refunded)] == ["", payment["id"], refund["id"]]
    assert isinstance(paid.subject, Payment)
    assert isinstance(refunded.subject, Refund)
    assert (paid.subject.amount, paid.subject.soft_descriptor) == (Amount(Decimal("19.9"), "USD"), "ACME")
    assert (refunded.subject.amount, refunded.subject.payment_id) == (Decimal("9.95"), payment["id"])
    assert dict(reveal(refunded.gateway_options)) == {"Mode": "moto"}
    for request in (validated, paid, refunded):
        assert reveal(request.method.token_data)["AmazonToken"] == METHOD["amazonToken"]
        assert reveal(request.method.token_data)["ShoppingDate"] == ""
    assert bool(reveal(paid.other_members)) == values[-1]
