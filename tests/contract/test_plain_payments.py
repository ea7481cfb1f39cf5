"""Payments and refunds with methods that are no custom ones: the gateway decides at once."""

from typing import Any

import httpx
import pytest
from contract.zuora_caller import METHODS, Caller
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

CARD = {"card_number": "4111111111111111", "brand": "visa", "expiry_month": 1, "expiry_year": 2031}


async def pay(caller: Caller, **more: Any) -> httpx.Response:
    """Pay 42.50 USD with a new card."""
    body = {"type": "card", "account_id": seed.ACCOUNT_US.id, "card": CARD}
    method = (await caller.post(METHODS, body)).json()["id"]
    sent = {
        "type": "Electronic",
        "accountId": seed.ACCOUNT_US.id,
        "paymentMethodId": method,
        "amount": 42.5,
        "currency": "USD",
        **more,
    }
    return await caller.post("/v1/payments", sent)


async def refund(caller: Caller, payment: str, amount: float, **more: Any) -> httpx.Response:
    body = {"type": "Electronic", "totalAmount": amount, **more}
    return await caller.post(f"/v1/payments/{payment}/refunds", body)


async def get(caller: Caller, path: str) -> Any:
    return (await caller.http.get(path, headers=await caller.bearer())).json()


class TestAPayment:
    """At a gateway of the account or of the request."""

    @pytest.mark.parametrize("gateway", [None, seed.GATEWAY_US_PLAIN.id])
    async def test_is_processed_and_can_be_looked_up(self, caller: Caller, gateway: str | None) -> None:
        """By its id, with the gateway that it went to."""
        paid = (await pay(caller, **({"gatewayId": gateway} if gateway else {}))).json()

        assert (paid["status"], paid["gatewayState"]) == ("Processed", "Submitted")
        assert paid["gatewayId"] == gateway or seed.GATEWAY_US.id
        assert await get(caller, f"/v1/payments/{paid['id']}") == paid

    async def test_lowers_the_balances_of_its_invoices(self, caller: Caller) -> None:
        """And never by more than is open."""
        invoices = [{"invoiceId": seed.INVOICE_US_SECOND.id, "amount": 40}]

        paid = (await pay(caller, invoices=invoices)).json()
        too_much = await pay(caller, invoices=invoices)

        balance = caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance
        assert (paid["appliedAmount"], paid["unappliedAmount"], str(balance)) == (40, 2.5, "2.50")
        assert (too_much.status_code, too_much.json()["success"]) == (400, False)

    async def test_is_in_the_ledger_with_its_refund_as_the_work_of_a_call(self, caller: Caller) -> None:
        """So both are found by their Track-Id, and their orgs are known."""
        await pay(caller)
        method = next(iter(caller.emulator.state.payment_methods))
        body = {"type": "Electronic", "accountId": seed.ACCOUNT_US.id, "amount": 1, "currency": "USD"}
        paid = await caller.post("/v1/payments", body | {"paymentMethodId": method}, zuora_track_id="order-17")
        path = f"/v1/payments/{paid.json()['id']}/refunds"
        await caller.post(path, {"type": "Electronic", "totalAmount": 1}, zuora_track_id="order-17")

        entries = (await caller.http.get("/_emulator/ledger?track_id=order-17")).json()["entries"]

        assert [entry["operation"] for entry in entries] == ["create_payment", "refund_payment"]
        assert [entry["orgs"] for entry in entries] == [list(seed.CLIENT_A.orgs)] * 2

    async def test_that_is_declined_is_in_error(self, caller: Caller) -> None:
        """It exists, and no balance falls."""
        caller.emulator.faults.add("create_payment:declined:insufficient_funds")

        paid = (await pay(caller, invoices=[{"invoiceId": seed.INVOICE_US_SECOND.id, "amount": 40}])).json()

        assert (paid["status"], paid["gatewayResponseCode"]) == ("Error", "insufficient_funds")
        assert caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance == seed.INVOICE_US_SECOND.balance

    async def test_at_a_gateway_of_another_entity_is_refused(self, caller: Caller) -> None:
        """Nothing is created."""
        answer = await pay(caller, gatewayId=seed.GATEWAY_EU.id)

        assert answer.status_code == 404
        assert caller.emulator.state.upc_payments == {}

    async def test_asks_no_hub_by_a_trigger(self, caller: Caller) -> None:
        """There is none to ask."""
        paid = (await pay(caller)).json()

        answer = await caller.http.post(f"/_emulator/upc/payments/{paid['id']}/send")

        assert answer.status_code == 400


class TestARefund:
    """Of what is not applied and not refunded."""

    async def test_is_processed_up_to_what_is_left(self, caller: Caller) -> None:
        """In parts, and never more."""
        paid = (await pay(caller)).json()

        first, too_much = await refund(caller, paid["id"], 40), await refund(caller, paid["id"], 2.51)

        read = await get(caller, f"/v1/refunds/{first.json()['id']}")
        assert (read["status"], read["amount"], read["paymentId"]) == ("Processed", 40, paid["id"])
        assert (await get(caller, f"/v1/payments/{paid['id']}"))["refundAmount"] == 40
        assert too_much.status_code == 400

    @pytest.mark.parametrize(
        "more",
        [
            {"refundDate": "tomorrow"},
            {"refundDate": 20261120},
            {"referenceId": 7},
            {"secondRefundReferenceId": "x" * 101},
            {"methodType": "Check"},
        ],
    )
    async def test_that_is_malformed_is_refused(self, caller: Caller, more: dict[str, Any]) -> None:
        """As an external one is; its date and its gateway's ids are not the caller's to choose."""
        paid = (await pay(caller)).json()

        assert (await refund(caller, paid["id"], 1, **more)).status_code == 400
        assert caller.emulator.state.upc_refunds == {}


class TestTheDefaultMethod:
    """Of an account there is one at most."""

    async def test_is_the_newest_that_was_made_it(self, caller: Caller) -> None:
        """The one before is none any more, and payments without a method use the new one."""
        default = {"type": "card", "card": CARD, "is_default": True}
        first = (await caller.post(METHODS, default | {"account_id": seed.ACCOUNT_US.id})).json()["id"]
        before = await shown_default(caller, first)
        second = (await caller.post(METHODS, default)).json()["id"]
        headers = await caller.bearer()
        await caller.http.put(f"/v1/payment-methods/{second}", json={"accountKey": "A00000001"}, headers=headers)

        paid = (await pay(caller, paymentMethodId=None)).json()

        assert before == (first, True)
        assert await shown_default(caller, first) == (second, False)
        assert await shown_default(caller, second) == (second, True)
        assert paid["paymentMethodId"] == second


async def shown_default(caller: Caller, method: str) -> tuple[str, bool]:
    """Return the default method of a method's account, and whether the method is shown as it."""
    quickstart = await get(caller, f"{METHODS}/{method}?expand[]=account")
    is_default = (await get(caller, f"/v1/payment-methods/{method}"))["isDefault"]
    return quickstart["account"]["default_payment_method_id"], is_default
