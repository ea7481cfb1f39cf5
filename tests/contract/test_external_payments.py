"""Payments and refunds that were made outside of Zuora and are written down there."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from contract.test_plain_payments import get, pay, refund
from contract.zuora_caller import METHODS, Caller
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

INVOICE = seed.INVOICE_US_SECOND
CARD = {"card_number": "4111111111111111", "brand": "visa", "expiry_month": 1, "expiry_year": 2031}


async def write_down(caller: Caller, **more: Any) -> httpx.Response:
    """Write down a check over 42.50 USD; `None` takes a field away."""
    body = {
        "type": "External",
        "accountId": seed.ACCOUNT_US.id,
        "paymentMethodType": "Check",
        "amount": 42.5,
        "currency": "USD",
        **more,
    }
    return await caller.post("/v1/payments", {name: value for name, value in body.items() if value is not None})


async def refund_externally(caller: Caller, payment: str, amount: float, **more: Any) -> httpx.Response:
    """Write down that money went back by check."""
    body = {"type": "External", "totalAmount": amount, "methodType": "Check", **more}
    sent = {name: value for name, value in body.items() if value is not None}
    return await caller.post(f"/v1/payments/{payment}/refunds", sent)


class TestAnExternalPayment:
    """Cash, a check, a transfer."""

    async def test_is_processed_without_a_method_and_a_gateway(self, caller: Caller) -> None:
        """It is read as it was answered."""
        paid = (await write_down(caller, effectiveDate="2026-11-18", referenceId="check 7", comment="by post")).json()

        assert (paid["type"], paid["status"], paid["gatewayState"]) == ("External", "Processed", "NotSubmitted")
        assert (paid["paymentMethodId"], paid["gatewayId"]) == (None, None)
        assert (paid["effectiveDate"], paid["referenceId"], paid["comment"]) == ("2026-11-18", "check 7", "by post")
        assert await get(caller, f"/v1/payments/{paid['number']}") == paid

    async def test_shows_no_empty_texts(self, caller: Caller) -> None:
        """Members without a value are null."""
        paid = (await write_down(caller)).json()

        assert [member for member, value in paid.items() if value == ""] == []

    async def test_pays_invoices_by_id_and_by_number(self, caller: Caller) -> None:
        """What is left of it is unapplied."""
        invoices = [
            {"invoiceId": INVOICE.id, "amount": 40},
            {"invoiceNumber": seed.INVOICE_US.number, "amount": 1.5},
        ]
        paid = (await write_down(caller, invoices=invoices)).json()

        balances = [caller.emulator.state.invoices[invoice.id].balance for invoice in (INVOICE, seed.INVOICE_US)]
        assert (paid["appliedAmount"], paid["unappliedAmount"]) == (41.5, 1)
        assert balances == [Decimal("2.50"), Decimal("98.50")]

    async def test_is_in_the_ledger(self, caller: Caller) -> None:
        """Once, with its Track-Id."""
        body = {"type": "External", "accountId": seed.ACCOUNT_US.id, "amount": 1, "currency": "USD"}
        paid = (await caller.post("/v1/payments", body, zuora_track_id="track", idempotency_key="key")).json()
        again = (await caller.post("/v1/payments", body, zuora_track_id="track", idempotency_key="key")).json()

        [entry] = caller.emulator.ledger.of("create_payment")
        assert again == paid
        assert (entry.track_id, entry.amount, entry.effects["payment_id"]) == ("track", 1, paid["id"])

    async def test_may_have_no_account(self, caller: Caller) -> None:
        """It is not known yet whose it is; it pays no invoice then."""
        paid = (await write_down(caller, accountId=None, currency="CHF")).json()
        applied = await write_down(caller, accountId=None, invoices=[{"invoiceId": INVOICE.id, "amount": 1}])

        assert (paid["accountId"], paid["accountNumber"], paid["unappliedAmount"]) == (None, None, 42.5)
        assert applied.status_code == 400

    async def test_is_not_declined(self, caller: Caller) -> None:
        """No gateway is asked."""
        caller.emulator.faults.add("create_payment:declined")

        assert (await write_down(caller)).json()["status"] == "Processed"

    async def test_needs_a_type_beside_an_electronic_default_method(self, caller: Caller) -> None:
        """Else the default method would be used."""
        await caller.post(METHODS, {"type": "card", "account_id": seed.ACCOUNT_US.id, "is_default": True, "card": CARD})

        assert (await write_down(caller, paymentMethodType=None)).status_code == 400
        assert (await write_down(caller)).status_code == 200

    @pytest.mark.parametrize(
        ("more", "status", "reason"),
        [
            ({"amount": 0}, 400, "nothing"),
            ({"amount": 1.001}, 400, "more decimals than the currency has"),
            ({"amount": None}, 400, "no amount"),
            ({"currency": "EUR"}, 400, "not the account's currency"),
            ({"accountId": None, "currency": "ZZZ"}, 400, "no currency"),
            ({"accountNumber": "A99999999"}, 404, "no such account"),
            ({"effectiveDate": "18.11.2026"}, 400, "no date"),
            ({"effectiveDate": "2026-02-30"}, 400, "no such day"),
            ({"effectiveDate": 20261118}, 400, "no text"),
            ({"paymentMethodType": "Barter"}, 400, "no such kind"),
            ({"paymentMethodId": "x"}, 404, "no such method"),
            ({"gatewayId": "x"}, 404, "no such gateway"),
            ({"comment": "x" * 256}, 400, "too long"),
            ({"referenceId": "x" * 101}, 400, "too long a reference"),
            ({"invoices": [{"invoiceId": INVOICE.id, "amount": 42.51}]}, 400, "more than the balance"),
            ({"invoices": [{"invoiceId": INVOICE.id, "amount": 21.26}] * 2}, 400, "more than the balance in two"),
            ({"invoices": [{"invoiceId": INVOICE.id, "amount": 0.001}]}, 400, "a fraction of a cent"),
            ({"invoices": [{"invoiceId": INVOICE.id}]}, 400, "no amount for an invoice"),
            ({"invoices": [{"amount": 1}]}, 400, "no invoice"),
            ({"invoices": [{"invoiceId": seed.INVOICE_US_LARGE.id, "amount": 43}]}, 400, "more than the payment"),
            ({"invoices": [{"invoiceId": INVOICE.id, "invoiceNumber": "INV0", "amount": 1}]}, 404, "no such number"),
            (
                {"invoices": [{"invoiceId": INVOICE.id, "invoiceNumber": seed.INVOICE_US.number, "amount": 1}]},
                400,
                "the number of another invoice",
            ),
            ({"invoices": [{"invoiceId": INVOICE.id, "invoiceNumber": 7, "amount": 1}]}, 400, "a number that is none"),
            ({"invoices": [{"invoiceId": "x", "amount": 1}]}, 404, "no such invoice"),
            ({"gatewayId": ""}, 404, "an empty gateway"),
            ({"debitMemos": [{"debitMemoId": "x", "amount": 1}]}, 404, "no debit memos"),
            ({"number": "P-7"}, 405, "a number of its own"),
        ],
    )
    async def test_that_is_wrong_changes_nothing(
        self, caller: Caller, more: dict[str, Any], status: int, reason: str
    ) -> None:
        """It is refused as a whole."""
        answer = await write_down(caller, **more)

        assert (answer.status_code, answer.json()["success"]) == (status, False), reason
        assert caller.emulator.state.upc_payments == {}
        assert caller.emulator.state.invoices[INVOICE.id].balance == INVOICE.balance

    async def test_pays_no_invoice_in_another_currency(self, caller: Caller) -> None:
        """Nothing is converted."""
        foreign = replace(INVOICE, id="f" * 32, number="INV-EUR", currency="EUR")
        caller.emulator.state.add(foreign)

        answer = await write_down(caller, invoices=[{"invoiceId": foreign.id, "amount": 1}])

        assert (answer.status_code, "currency" in answer.text) == (400, True)
        assert caller.emulator.state.invoices[foreign.id] == foreign

    @pytest.mark.parametrize("amount", ["1e400", "1e9999999", "-1e9999999", "1e-9999999", "9" * 400])
    @pytest.mark.parametrize("kind", ["External", "Electronic"])
    async def test_of_an_impossible_amount_is_refused(self, caller: Caller, amount: str, kind: str) -> None:
        """As any wrong value is, and not by a fault of the emulator."""
        body = f'{{"type": "{kind}", "accountId": "{seed.ACCOUNT_US.id}", "amount": {amount}, "currency": "USD"}}'
        headers = await caller.bearer()
        answer = await caller.http.post("/v1/payments", content=body, headers=headers)

        assert answer.status_code in {400, 404}, answer.text
        assert "amount must" in answer.text

    async def test_with_an_electronic_method_is_refused(self, caller: Caller) -> None:
        """The emulator has no others."""
        body = {"type": "card", "account_id": seed.ACCOUNT_US.id, "card": CARD}
        method = (await caller.post(METHODS, body)).json()["id"]

        assert (await write_down(caller, paymentMethodId=method)).status_code == 400

    async def test_is_not_seen_with_other_orgs(self, caller: Caller) -> None:
        """Its account is of the northern org."""
        paid = (await write_down(caller)).json()
        headers = await caller.bearer()

        seen = [
            (await caller.http.get(f"/v1/payments/{paid['id']}", headers=headers | {"zuora-org-ids": org})).status_code
            for org in (seed.ORG_NORTH, seed.ORG_SOUTH)
        ]

        assert seen == [200, 404]


class TestARefundOfAnExternalPayment:
    """It is written down as well."""

    async def test_is_processed_up_to_what_is_unapplied(self, caller: Caller) -> None:
        """In parts, and never more."""
        paid = (await write_down(caller, invoices=[{"invoiceId": INVOICE.id, "amount": 40}])).json()

        too_much = await refund_externally(caller, paid["id"], 2.51)
        made = (await refund_externally(caller, paid["number"], 2.5, referenceId="check 8")).json()

        read = await get(caller, f"/v1/refunds/{made['id']}")
        assert too_much.status_code == 400
        assert read == made
        assert (made["type"], made["status"], made["gatewayState"]) == ("External", "Processed", "NotSubmitted")
        assert (made["methodType"], made["refundDate"], made["referenceId"]) == ("Check", "2026-11-20", "check 8")
        assert (await get(caller, f"/v1/payments/{paid['id']}"))["unappliedAmount"] == 0
        assert caller.emulator.ledger.count("refund_payment") == 1

    async def test_cannot_be_electronic(self, caller: Caller) -> None:
        """No gateway has the money."""
        paid = (await write_down(caller)).json()

        assert (await refund(caller, paid["id"], 1)).status_code == 400

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"methodType": None}, "how it went back is missing"),
            ({"methodType": "Barter"}, "no such way"),
            ({"refundDate": "2026-11-17"}, "before the payment"),
            ({"refundDate": "tomorrow"}, "no date"),
            ({"totalAmount": 0}, "nothing"),
        ],
    )
    async def test_that_is_wrong_is_refused(self, caller: Caller, more: dict[str, Any], reason: str) -> None:
        """Nothing is refunded."""
        paid = (await write_down(caller, effectiveDate="2026-11-18")).json()

        answer = await refund_externally(caller, paid["id"], 1, **more)

        assert answer.status_code == 400, reason
        assert caller.emulator.state.upc_refunds == {}


class TestARefundOfAnElectronicPayment:
    """It may go back outside of Zuora."""

    async def test_may_be_external(self, caller: Caller) -> None:
        """Both kinds together never exceed the payment."""
        paid = (await pay(caller)).json()

        made = (await refund_externally(caller, paid["id"], 40)).json()
        too_much = await refund(caller, paid["id"], 2.51)

        assert (made["type"], made["gatewayId"], made["paymentId"]) == ("External", None, paid["id"])
        assert too_much.status_code == 400


class TestAnElectronicPayment:
    """It takes effect on the day on which it is made."""

    async def test_is_of_today(self, caller: Caller) -> None:
        """As the reference demands."""
        assert (await pay(caller, effectiveDate="2026-11-20")).status_code == 200

    @pytest.mark.parametrize("day", ["2026-11-19", "2026-11-21"])
    async def test_is_refused_on_another_day(self, caller: Caller, day: str) -> None:
        """The category is that of an invalid value."""
        refused = await pay(caller, effectiveDate=day)

        assert (refused.status_code, refused.json()["reasons"][0]["code"] % 100) == (400, 20)
