"""The lives of payments and refunds that a hub decides: by the API, by the clock, and by the triggers."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest
from contract.scripted_hub import APPROVED, CUT, DECLINED, UNKNOWN, HubbedCaller, HubbedWith
from zuora_emulator import UpcConfigurationError, seed

pytestmark = pytest.mark.asyncio

HOUR = timedelta(hours=1)


def ids_of(hubbed: HubbedCaller) -> list[str]:
    """What ids the hub was asked about, in order."""
    return [request.json["payment"]["id"] for request in hubbed.hub.requests]


async def status_of(hubbed: HubbedCaller, payment_id: str) -> Any:
    return (await hubbed.get(f"/v1/payments/{payment_id}")).json()["status"]


async def test_a_payment_is_read_by_id_and_number(hubbed: HubbedCaller) -> None:
    created = (await hubbed.pay()).json()

    by_id, by_number = await hubbed.get(f"/v1/payments/{created['id']}"), await hubbed.get("/v1/payments/P-00000001")

    assert by_id.json() == created == by_number.json()
    assert (created["number"], created["amount"], created["currency"]) == ("P-00000001", 200, "USD")
    assert (created["gatewayState"], created["gatewayResponseCode"]) == ("Submitted", "601")
    assert created["accountId"] == seed.ACCOUNT_US.id


async def test_a_payment_shows_the_transaction_of_its_gateway(hubbed: HubbedCaller) -> None:
    assert (await hubbed.pay(APPROVED)).json()["referenceId"] == "180404672"


async def test_a_payment_of_another_entity_is_not_seen(hubbed: HubbedCaller) -> None:
    created = (await hubbed.pay()).json()
    headers = await hubbed.caller.bearer() | {"zuora-entity-ids": seed.ENTITY_EU}

    for path in (f"/v1/payments/{created['id']}", "/v1/payments/P-2", "/v1/refunds/R-00000001"):
        assert (await hubbed.caller.http.get(path, headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("more", "status", "reason"),
    [
        ({"type": "External"}, 400, "an electronic method"),
        ({"type": None}, 400, "no type"),
        ({"amount": "two"}, 400, "an amount that is no number"),
        ({"amount": 0}, 400, "nothing"),
        ({"amount": 1.001}, 400, "more decimals than the currency has"),
        ({"currency": "EUR"}, 400, "not the account's currency"),
        ({"accountNumber": "A99999999"}, 404, "no such account"),
        ({"accountNumber": None}, 400, "no account"),
        ({"accountId": seed.ACCOUNT_JPY.id}, 400, "two accounts"),
        ({"paymentMethodId": "x"}, 404, "no such method"),
        ({"gatewayId": seed.GATEWAY_US.id}, 404, "a gateway that calls no hub"),
        ({"softDescriptor": "x" * 36}, 400, "too long"),
        ({"invoices": [{"invoiceId": "INV00000002", "amount": 42.51}]}, 400, "more than the invoice's balance"),
        ({"invoices": [{"invoiceId": "INV00000004", "amount": 201}]}, 400, "more than the payment"),
        ({"invoices": [{"invoiceId": "INV00000008", "amount": 1}]}, 404, "another account's invoice"),
    ],
)
async def test_a_wrong_payment_is_refused_and_asks_no_hub(
    hubbed: HubbedCaller, more: dict[str, Any], status: int, reason: str
) -> None:
    answer = await hubbed.pay(**more)

    assert (answer.status_code, answer.json()["success"]) == (status, False), reason
    assert hubbed.hub.requests == []
    assert hubbed.caller.emulator.ledger.count("create_payment") == 0


async def test_a_payment_with_another_kind_of_method_asks_no_hub(hubbed: HubbedCaller) -> None:
    body = {"type": "PayPalCP", "BAID": "b", "accountKey": seed.ACCOUNT_US.number}
    method_id = (await hubbed.caller.post("/v1/payment-methods", body)).json()["id"]

    assert (await hubbed.pay(method_id=method_id)).json()["status"] == "Processed"
    assert hubbed.hub.requests == []


async def test_a_payment_uses_the_accounts_default_method(hubbed: HubbedCaller) -> None:
    method_id = await hubbed.method_id(makeDefault=True)

    paid = (await hubbed.pay(paymentMethodId=None)).json()

    assert paid["paymentMethodId"] == method_id


async def test_the_same_key_pays_once(hubbed: HubbedCaller) -> None:
    method_id = await hubbed.method_id()
    keyed = {"method_id": method_id, "headers": {"idempotency_key": "k"}}

    first, again = await hubbed.pay(**keyed), await hubbed.pay(**keyed)

    assert (again.content, len(hubbed.hub.requests)) == (first.content, 1)
    assert hubbed.caller.emulator.ledger.count("create_payment") == 1


async def test_the_same_key_refunds_once(hubbed: HubbedCaller) -> None:
    paid = (await hubbed.pay()).json()
    path, body = f"/v1/payments/{paid['id']}/refunds", {"type": "Electronic", "totalAmount": 50}

    answers = [await hubbed.caller.post(path, body, idempotency_key="r") for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert hubbed.caller.emulator.ledger.count("refund_payment") == 1


async def test_a_payment_goes_through_although_its_caller_leaves(hubbed: HubbedCaller) -> None:
    """Neither is it lost, nor does the key pay again."""
    method_id = await hubbed.method_id()
    keyed: dict[str, Any] = {"method_id": method_id, "headers": {"idempotency_key": "k"}}
    hubbed.hub.released.clear()
    async with asyncio.TaskGroup() as tasks:
        leaving = tasks.create_task(hubbed.pay(**keyed))
        await hubbed.hub.arrived.wait()
        leaving.cancel()
        await asyncio.sleep(0)
        assert (await hubbed.pay(**keyed)).status_code == 409
        hubbed.hub.released.set()
    while hubbed.caller.emulator.state.upc_payments and (await hubbed.pay(**keyed)).status_code == 409:
        await asyncio.sleep(0)

    assert (await hubbed.pay(**keyed)).json()["status"] == "Processed"
    assert len(hubbed.hub.requests) == 1


async def test_invoices_are_paid_when_the_hub_approves(hubbed: HubbedCaller) -> None:
    invoices = [{"invoiceId": "INV00000002", "amount": 42.5}]

    unknown = (await hubbed.pay(UNKNOWN, invoices=invoices)).json()
    before = hubbed.caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance
    await hubbed.trigger(f"/upc/payments/{unknown['id']}/open")
    paid = (await hubbed.get(f"/v1/payments/{unknown['id']}")).json()

    assert (str(before), unknown["appliedAmount"]) == ("42.50", 0)
    assert str(hubbed.caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance) == "0.00"
    assert (paid["appliedAmount"], paid["unappliedAmount"]) == (42.5, 157.5)
    assert (await hubbed.refund(paid["id"], amount=157.51)).status_code == 400


async def test_an_invoice_is_never_paid_by_more_than_is_open(hubbed: HubbedCaller) -> None:
    """Two payments for it were in Processing; what the second pays too much is unapplied."""
    invoices = [{"invoiceId": "INV00000002", "amount": 42.5}]
    payments = [(await hubbed.pay(UNKNOWN, invoices=invoices)).json()["id"] for _ in range(2)]

    for payment in payments:
        await hubbed.trigger(f"/upc/payments/{payment}/open")

    read = [(await hubbed.get(f"/v1/payments/{payment}")).json() for payment in payments]
    assert str(hubbed.caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance) == "0.00"
    assert [(paid["appliedAmount"], paid["unappliedAmount"]) for paid in read] == [(42.5, 157.5), (0, 200)]


@pytest.mark.parametrize("is_refund", [False, True])
async def test_a_reset_forgets_what_a_hub_works_on(hubbed: HubbedCaller, *, is_refund: bool) -> None:
    """Its caller gets an answer, and the world after the reset stays as it began."""
    invoices = [{"invoiceId": "INV00000002", "amount": 42.5}]
    paid = (await hubbed.pay()).json()
    method = await hubbed.method_id()
    hubbed.hub.arrived.clear()
    hubbed.hub.released.clear()
    if is_refund:
        waiting = asyncio.ensure_future(hubbed.refund(paid["id"], amount=1))
    else:
        waiting = asyncio.ensure_future(hubbed.pay(method_id=method, invoices=invoices))
    await hubbed.hub.arrived.wait()

    await hubbed.trigger("/reset")
    hubbed.hub.released.set()
    answer = await waiting

    state = hubbed.caller.emulator.state
    assert (answer.status_code, answer.json()["status"]) == (200, "Processed")
    assert (state.upc_payments, state.upc_refunds, state.payment_methods) == ({}, {}, {})
    assert state.invoices[seed.INVOICE_US_SECOND.id] == seed.INVOICE_US_SECOND


async def test_refunds_never_exceed_the_payment(hubbed: HubbedCaller) -> None:
    paid = (await hubbed.pay()).json()

    half = (await hubbed.refund(paid["id"], UNKNOWN, amount=100)).json()
    too_much = await hubbed.refund(paid["id"], amount=100.01)
    failed = (await hubbed.refund(paid["id"], DECLINED, amount=100)).json()
    rest = (await hubbed.refund(paid["number"], amount=100)).json()

    assert [half["status"], failed["status"], rest["status"]] == ["Processing", "Error", "Processed"]
    assert too_much.status_code == 400
    assert (await hubbed.get(f"/v1/payments/{paid['id']}")).json()["refundAmount"] == 200
    assert (await hubbed.get(f"/v1/refunds/{rest['number']}")).json() == rest


@pytest.mark.parametrize("answer", [UNKNOWN, DECLINED])
async def test_only_what_was_paid_is_refunded(hubbed: HubbedCaller, answer: Any) -> None:
    payment = (await hubbed.pay(answer)).json()

    assert (await hubbed.refund(payment["id"], amount=1)).status_code == 400
    assert (await hubbed.refund("P-00000009", amount=1)).status_code == 404


async def test_processing_is_sent_again_every_hour_with_the_same_id(hubbed: HubbedCaller) -> None:
    payment = (await hubbed.pay(UNKNOWN, CUT, (500, b""))).json()

    await hubbed.caller.emulator.advance(HOUR - timedelta(seconds=1))
    before = len(hubbed.hub.requests)
    await hubbed.caller.emulator.advance(3 * HOUR)

    assert before == 1
    assert ids_of(hubbed) == [payment["id"]] * 4
    assert await status_of(hubbed, payment["id"]) == "Processed"
    assert [entry.effects["reason"] for entry in hubbed.caller.emulator.ledger.of("hub_payment")] == [
        "first",
        "hourly",
        "hourly",
        "hourly",
    ]


async def test_processing_is_sent_again_for_48_hours(hubbed: HubbedCaller) -> None:
    payment = (await hubbed.pay(*[UNKNOWN] * 60)).json()

    await hubbed.caller.emulator.advance(100 * HOUR)
    last = hubbed.caller.emulator.upc.sends.entries[-1].time
    await hubbed.trigger(f"/upc/payments/{payment['id']}/open")

    assert (last - hubbed.caller.emulator.state.upc_payments[payment["id"]].created_at) == 48 * HOUR
    assert len(hubbed.hub.requests) == 1 + 48 + 1
    assert await status_of(hubbed, payment["id"]) == "Processing"


async def test_processing_may_never_be_sent_again(hubbed_with: HubbedWith) -> None:
    hubbed = hubbed_with(upc_resends="never")
    payment = (await hubbed.pay(UNKNOWN)).json()

    await hubbed.caller.emulator.advance(48 * HOUR)
    before = len(hubbed.hub.requests)
    opened = (await hubbed.trigger(f"/upc/payments/{payment['id']}/open")).json()

    assert (before, opened["status"], len(hubbed.hub.requests)) == (1, "Processed", 2)


async def test_refunds_are_sent_again_as_well(hubbed: HubbedCaller) -> None:
    paid = (await hubbed.pay()).json()
    refund = (await hubbed.refund(paid["id"], UNKNOWN)).json()

    await hubbed.caller.emulator.advance(HOUR)

    assert (await hubbed.get(f"/v1/refunds/{refund['id']}")).json()["status"] == "Processed"
    assert [request.json["refund"]["id"] for request in hubbed.hub.requests[1:]] == [refund["id"]] * 2


@pytest.mark.parametrize(("answer", "status"), [(APPROVED, "Processed"), (DECLINED, "Error")])
async def test_final_payments_are_asked_about_no_more(hubbed: HubbedCaller, answer: Any, status: str) -> None:
    payment = (await hubbed.pay(answer)).json()

    await hubbed.caller.emulator.advance(50 * HOUR)
    opened = (await hubbed.trigger(f"/upc/payments/{payment['id']}/open")).json()

    assert (opened["status"], len(hubbed.hub.requests)) == (status, 1)


@pytest.mark.parametrize(
    ("first", "second", "status"), [(APPROVED, DECLINED, "Processed"), (DECLINED, APPROVED, "Error")]
)
async def test_a_late_answer_changes_no_final_status(
    hubbed: HubbedCaller, first: Any, second: Any, status: str
) -> None:
    payment = (await hubbed.pay(first)).json()
    hubbed.hub.script.append(second)

    again = (await hubbed.trigger(f"/upc/payments/{payment['id']}/send")).json()

    assert again["status"] == status
    assert [send.ignored for send in hubbed.caller.emulator.upc.sends.of(payment["id"])] == [False, True]


async def test_sends_can_overlap(hubbed: HubbedCaller) -> None:
    payment = (await hubbed.pay(UNKNOWN)).json()

    await hubbed.trigger(f"/upc/payments/{payment['id']}/send", times=3, at_once=True)
    await hubbed.trigger(f"/upc/payments/{payment['id']}/send", times=2)

    sends = hubbed.caller.emulator.upc.sends.of(payment["id"])
    assert [send.reason for send in sends] == ["first", *["asked for"] * 5]
    assert ids_of(hubbed) == [payment["id"]] * 6
    assert sum(send.ignored for send in sends) == 4


async def test_what_is_due_is_sent_once_however_often_it_is_run(hubbed: HubbedCaller) -> None:
    for _ in range(3):
        await hubbed.pay(UNKNOWN)
    hubbed.caller.clock.advance(HOUR)

    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(hubbed.caller.emulator.run_due()) for _ in range(3)]

    assert sum(run.result() for run in runs) == 3
    assert len(hubbed.hub.requests) == 6


async def test_a_gateway_is_changed_under_way(hubbed: HubbedCaller) -> None:
    payment = (await hubbed.pay(UNKNOWN)).json()
    with pytest.raises(UpcConfigurationError):
        hubbed.caller.emulator.upc.configure(seed.upc_with("nonsense"))
    hubbed.caller.emulator.upc.configure(seed.upc_with(hubbed.hub.url, user="other"))

    await hubbed.caller.emulator.advance(HOUR)

    users = [base64.b64decode(request.headers["authorization"][6:]).split(b":")[0] for request in hubbed.hub.requests]
    assert (users, await status_of(hubbed, payment["id"])) == ([b"zuora", b"other"], "Processed")


async def test_an_error_stays_without_retries(hubbed: HubbedCaller) -> None:
    await hubbed.pay(DECLINED)

    await hubbed.caller.emulator.advance(72 * HOUR)

    assert len(hubbed.caller.emulator.state.upc_payments) == 1


async def test_a_retry_is_a_new_payment(hubbed_with: HubbedWith) -> None:
    hubbed = hubbed_with(upc_payment_retries=2)
    invoices = [{"invoiceId": "INV00000002", "amount": 42.5}]
    first = (await hubbed.pay(DECLINED, UNKNOWN, DECLINED, DECLINED, invoices=invoices)).json()

    await hubbed.caller.emulator.advance(23 * HOUR)
    before = len(hubbed.hub.requests)
    await hubbed.caller.emulator.advance(200 * HOUR)

    payments = list(hubbed.caller.emulator.state.upc_payments.values())
    assert before == 1
    assert [payment.attempt for payment in payments] == [1, 2, 3]
    assert [payment.retry_of for payment in payments] == [None, first["id"], payments[1].id]
    assert ids_of(hubbed) == [payments[0].id, payments[1].id, payments[1].id, payments[2].id]
    assert len({payment.number for payment in payments}) == 3
    assert {payment.status for payment in payments} == {"Error"}


async def test_a_retry_is_left_out_when_the_invoice_was_paid(hubbed_with: HubbedWith) -> None:
    hubbed = hubbed_with(upc_payment_retries=1)
    invoices = [{"invoiceId": "INV00000002", "amount": 42.5}]
    await hubbed.pay(DECLINED, invoices=invoices)
    await hubbed.pay(APPROVED, invoices=invoices)

    await hubbed.caller.emulator.advance(48 * HOUR)

    assert len(hubbed.caller.emulator.state.upc_payments) == 2


async def test_triggers_pay_refund_and_show(hubbed: HubbedCaller) -> None:
    await hubbed.method()
    paid = (await hubbed.trigger("/upc/payments", amount="12.50")).json()
    refund = (await hubbed.trigger(f"/upc/payments/{paid['number']}/refunds", amount="2.50")).json()
    hubbed.hub.script.append(UNKNOWN)
    open_payment = (await hubbed.trigger("/upc/payments", amount="1")).json()
    passed = (await hubbed.trigger("/clock", seconds=3600)).json()

    shown = await hubbed.shown()
    assert [item["status"] for item in shown["payments"]] == ["Processed", "Processed"]
    assert [(item["id"], item["amount"]) for item in shown["refunds"]] == [(refund["id"], 2.5)]
    assert [send["operation"] for send in shown["sends"]] == ["Validate", "Payment", "Refund", "Payment", "Payment"]
    assert [send["conclusion"] for send in shown["sends"]][-2:] == ["Processing", "Processed"]
    assert shown["sends"][-1]["subject"] == open_payment["id"]
    assert shown["methods"][0]["token_data"]["AmazonToken"] == "***"
    assert shown["gateways"][0]["password"] == "***"
    assert (passed["now"], passed["next_due"]) == ("2026-11-20T13:00:00+00:00", None)


async def test_a_refund_is_opened_and_sent_by_trigger(hubbed: HubbedCaller) -> None:
    paid = (await hubbed.pay()).json()
    refund = (await hubbed.refund(paid["id"], UNKNOWN, UNKNOWN)).json()

    sent = (await hubbed.trigger(f"/upc/refunds/{refund['number']}/send")).json()
    opened = (await hubbed.trigger(f"/upc/refunds/{refund['id']}/open")).json()

    assert (sent["status"], opened["status"], opened["sends"]) == ("Processing", "Processed", 3)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/upc/payments", {}),
        ("/upc/payments", {"amount": "0"}),
        ("/upc/payments", {"amount": "0.001"}),
        ("/upc/payments", {"amount": "1E+5000"}),
        ("/upc/payments", {"amount": "1", "payment_method_id": "x"}),
        ("/upc/payments/x/open", {}),
        ("/upc/refunds/x/send", {}),
        ("/upc/payments/P-00000001/send", {"times": 0}),
        ("/upc/payments/P-00000001/refunds", {"amount": "200.01"}),
        ("/upc/payments/P-00000001/refunds", {"amount": "0.001"}),
        ("/clock", {"seconds": -1}),
        ("/clock", {}),
    ],
)
async def test_triggers_refuse_in_a_sentence(hubbed: HubbedCaller, path: str, body: dict[str, Any]) -> None:
    await hubbed.pay()

    answer = await hubbed.trigger(path, **body)

    assert answer.status_code == 400
    assert answer.json()["message"].endswith(".")


async def test_reset_forgets_payments_and_sends(hubbed: HubbedCaller) -> None:
    await hubbed.pay(UNKNOWN)

    await hubbed.trigger("/reset")

    shown = await hubbed.shown()
    assert (shown["payments"], shown["sends"], shown["next_due"]) == ([], [], None)
    assert (await hubbed.pay()).json()["number"] == "P-00000001"
