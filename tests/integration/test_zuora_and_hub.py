"""Zuora's side, the hub and a plug-in over sockets: what Zuora believes of the money is what moved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest
import pytest_asyncio
from contract.example_tenant import CLIENT, ENTITY, GATEWAY_ID, account_with, set_up_of_the_examples
from contract.zuora_caller import Caller, caller_with
from harness.hub import HubWorld
from harness.hub_http import PASSWORD, served_hub
from harness.plugged import GATEWAY_NAME, TYPE, plugged
from harness.plugin import DECLINED, Behaviour, RunningPlugin, running_plugin
from zuora_emulator import Emulator, Settings, UpcPayment

pytestmark = pytest.mark.asyncio

HOUR = timedelta(hours=1)
ACCOUNT = account_with("A00000004")


@dataclass(slots=True)
class Chain:
    """All three."""

    caller: Caller
    world: HubWorld
    plugin: RunningPlugin
    endpoint: str

    @property
    def emulator(self) -> Emulator:
        """Zuora."""
        return self.caller.emulator

    @property
    def charged(self) -> Decimal:
        """What the plug-in moved in payments."""
        effects = self.plugin.plugin.effects
        return sum((effect.amount for effect in effects if not effect.payment_key), Decimal(0))

    async def method(self, **more: Any) -> Any:
        """Create a method, which the hub validates."""
        body = {"type": TYPE, "accountKey": ACCOUNT.number, "amazonToken": "3sample", **more}
        return (await self.caller.post("/v1/payment-methods", body, client=CLIENT)).json()

    async def pay(self, amount: Any = 200, **more: Any) -> UpcPayment:
        """Pay with a new method."""
        method = await self.method(skipValidation=True, **more)
        body = {"type": "Electronic", "accountId": ACCOUNT.id, "amount": amount, "currency": "USD"}
        answer = await self.caller.post(
            "/v1/payments", body | {"paymentMethodId": method["id"], "gatewayId": GATEWAY_ID}, client=CLIENT
        )
        return self.emulator.state.upc_payments[answer.json()["id"]]

    async def refund(self, payment: UpcPayment, amount: Any) -> str:
        """Refund a payment, and return the status of the refund."""
        body = {"type": "Electronic", "totalAmount": amount}
        answer = await self.caller.post(f"/v1/payments/{payment.number}/refunds", body, client=CLIENT)
        return str(answer.json()["status"])

    def behave(self, **behaviour: Any) -> None:
        """Say what the plug-in does from now on."""
        self.plugin.plugin.default = Behaviour(**behaviour)

    def use_password(self, password: str) -> None:
        """Change the gateway's settings in Zuora."""
        self.emulator.upc.configure(set_up_of_the_examples(self.endpoint, GATEWAY_NAME, password=password))

    def statuses(self) -> list[int | None]:
        """What the hub answered."""
        return [send.status for send in self.emulator.upc.sends.entries]


@asynccontextmanager
async def chain_with(**switches: Any) -> AsyncIterator[Chain]:
    """Start all three."""
    async with AsyncExitStack() as stack:
        plugin = await stack.enter_async_context(running_plugin())
        gateways = await stack.enter_async_context(plugged(plugin.target))
        world = await HubWorld().begin()
        hub = world.hub(directory=gateways.gateways)
        served = await stack.enter_async_context(served_hub(hub=hub))
        endpoint = f"http://127.0.0.1:{served.port}/upc/main"
        settings = Settings(upc_allow_local_endpoints=True, **switches)
        caller = caller_with(settings, upc=set_up_of_the_examples(endpoint, GATEWAY_NAME, password=PASSWORD))
        caller.emulator.state.add(CLIENT, ACCOUNT)
        await stack.enter_async_context(caller.http)
        yield Chain(caller, world, plugin, endpoint)
        # Whatever happened: the hub kept Zuora's rules, and what Zuora holds for paid is what was charged.
        assert {send.problems for send in caller.emulator.upc.sends.entries} <= {()}
        for tasks in world.tasks:
            await tasks.close()


@pytest_asyncio.fixture
async def chain() -> AsyncIterator[Chain]:
    """All three, with the usual switches."""
    async with chain_with() as started:
        yield started


def paid(chain: Chain) -> Decimal:
    """Return what Zuora holds for paid."""
    payments = chain.emulator.state.upc_payments.values()
    return sum((payment.amount for payment in payments if payment.status == "Processed"), Decimal(0))


async def test_a_method_is_validated_charged_and_refunded(chain: Chain) -> None:
    """The plug-in changes a field on the way."""
    chain.behave(token_data_changes={"AmazonToken": "changed"})
    created = await chain.method()
    stored = chain.emulator.state.payment_methods[created["id"]].token_data

    payment = await chain.pay(19.9)
    refunds = [await chain.refund(payment, 9.95), await chain.refund(payment, 9.95)]

    assert (created["success"], stored["AmazonToken"], stored["ShopperEmail"]) == (True, "changed", "")
    assert (payment.status, refunds) == ("Processed", ["Processed", "Processed"])
    assert (payment.reference_id or "").startswith("T")
    assert chain.charged == Decimal("19.9") == paid(chain)


async def test_a_declined_validation_creates_nothing_and_does_not_stay(chain: Chain) -> None:
    """The next one asks the plug-in again."""
    chain.behave(result=DECLINED, code="51", message="No funds.")
    declined = await chain.method()
    chain.behave()
    created = await chain.method()

    assert declined["reasons"][0]["message"] == "Transaction declined.51 - No funds."
    assert (created["success"], len(chain.emulator.state.payment_methods)) == (True, 1)


async def test_a_declined_payment_is_an_error_and_moves_nothing(chain: Chain) -> None:
    """Its code reaches Zuora, whose retry rules go by it."""
    chain.behave(result=DECLINED, code="51", message="No funds.")

    payment = await chain.pay()

    assert (payment.status, payment.code, payment.message) == ("Error", "51", "No funds.")
    assert chain.charged == 0


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED])
async def test_a_plug_in_that_fails_after_charging_is_charged_once(chain: Chain, code: grpc.StatusCode) -> None:
    """Processing first, and Processed after the next send."""
    chain.behave(error_after=code)
    payment = await chain.pay()
    first = payment.status
    chain.behave()

    await chain.emulator.advance(HOUR)

    assert (first, payment.status, chain.statuses()) == ("Processing", "Processed", [503, 200])
    assert chain.charged == 200 == paid(chain)


async def test_a_plug_in_that_is_down_is_an_error_that_may_be_retried() -> None:
    """Nothing was sent, so the new payment is the only one that moves money."""
    async with chain_with(upc_payment_retries=1) as chain:
        await chain.plugin.stop()
        failed = await chain.pay()
        await chain.plugin.start()
        await chain.emulator.advance(25 * HOUR)

        (_, retried) = chain.emulator.state.upc_payments.values()
        assert (failed.status, retried.status, retried.retry_of) == ("Error", "Processed", failed.id)
        assert chain.charged == 200 == paid(chain)


@pytest.mark.parametrize("fault", ["lost", "refused", "duplicated"])
async def test_the_way_between_zuora_and_the_hub_may_fail(chain: Chain, fault: str) -> None:
    """Whatever was lost or came twice, the next send finds the truth."""
    chain.emulator.faults.add(f"hub_payment:{fault}")
    payment = await chain.pay()

    await chain.emulator.advance(HOUR)

    assert (payment.status, chain.charged, paid(chain)) == ("Processed", 200, 200)


async def test_sends_that_overlap_charge_once(chain: Chain) -> None:
    """All of them hear of the same charge."""
    hold = asyncio.Event()
    chain.behave(hold=hold)
    async with asyncio.TaskGroup() as tasks:
        paying = tasks.create_task(chain.pay())
        await chain.plugin.plugin.wait_for_calls(1)
        (payment,) = chain.emulator.state.upc_payments.values()
        tasks.create_task(chain.emulator.upc.send_at_once(payment, times=4))
        hold.set()

    assert paying.result().status == "Processed"
    assert chain.statuses() == [200] * 5
    assert chain.charged == 200


async def test_a_replayed_answer_is_the_same(chain: Chain) -> None:
    """Also long after."""
    payment = await chain.pay()
    await chain.emulator.upc.send(payment, "asked for")

    first, again = chain.emulator.upc.sends.of(payment.id)

    assert (first.answer, first.status) == (again.answer, again.status)
    assert chain.charged == 200


async def test_wrong_credentials_are_an_error_only_while_nothing_is_open(chain: Chain) -> None:
    """A payment in doubt stays in Processing until the right ones are back."""
    chain.use_password("wrong")
    refused = await chain.pay()
    chain.use_password(PASSWORD)
    await chain.emulator.upc.send(refused, "asked for")
    chain.behave(error_after=grpc.StatusCode.INTERNAL)
    doubtful = await chain.pay()
    chain.behave()
    chain.use_password("wrong")
    await chain.emulator.upc.send(doubtful, "asked for")
    in_between = doubtful.status
    chain.use_password(PASSWORD)
    await chain.emulator.advance(HOUR)

    assert (refused.status, in_between, doubtful.status) == ("Error", "Processing", "Processed")
    assert chain.statuses() == [401, 400, 503, 503, 200]
    assert chain.charged == 200 == paid(chain)


async def test_another_tenant_is_refused() -> None:
    """Even with the right credentials, and with the parent's id in the type."""
    async with chain_with(upc_tenant_id="own") as own:
        configuration = own.emulator.upc.configuration
        own.emulator.upc.configure(replace(configuration, entity_tenants={ENTITY: "99999"}))
        payment = await own.pay()

        assert (payment.status, own.statuses(), own.charged) == ("Error", [400], 0)


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("upc_amounts", "number"),
        ("upc_validate_method_id", True),
        ("upc_token_data", "string"),
        ("upc_level_2_data", True),
    ],
)
async def test_the_hub_is_right_for_every_switch(switch: str, value: Any) -> None:
    """Whichever of them Zuora has."""
    async with chain_with(**{switch: value}) as chain:
        created, payment = await chain.method(), await chain.pay(19.99)
        refund = await chain.refund(payment, 19.99)

        assert (created["success"], payment.status, refund) == (True, "Processed", "Processed")
        assert chain.charged == Decimal("19.99")
