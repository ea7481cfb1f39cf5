import re
from decimal import Decimal
from typing import Any

import pytest
from contract.zuora_caller import SESSIONS, Caller, CallWith
from zuora_emulator import seed
from zuora_emulator.ledger import short_hash

pytestmark = pytest.mark.asyncio

STORE = {"currency": "USD", "amount": 1, "processPayment": False}
PAY = {"currency": "USD", "amount": 100, "processPayment": True, "accountId": seed.ACCOUNT_US.id}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (STORE, "verify and store, no account"),
        (STORE | {"amount": 0}, "verify with nothing"),
        (PAY | {"storePaymentMethod": False}, "pay once"),
        (PAY, "pay and store"),
        (PAY | {"accountId": "A00000001"}, "an account by its number"),
        (PAY | {"invoices": [{"invoiceNumber": "INV00000001"}]}, "an invoice in full"),
        (
            PAY | {"amount": 142.5, "invoices": [{"invoiceNumber": "INV00000001"}, {"invoiceNumber": "INV00000002"}]},
            "two invoices in full",
        ),
        (PAY | {"paymentGateway": seed.GATEWAY_US.id, "gatewayOptions": {"a": "b"}}, "a gateway by its id"),
    ],
)
async def test_creating_answers_with_a_token(caller: Caller, body: dict[str, Any], reason: str) -> None:
    answer = await caller.post(SESSIONS, body)

    assert answer.status_code == 200, reason
    assert re.fullmatch("[A-Za-z0-9]{32}", answer.json()["token"])
    assert list(answer.json()) == ["token"]


async def test_creating_is_in_the_ledger_without_the_token(caller: Caller) -> None:
    answer = await caller.post(SESSIONS, PAY | {"amount": 12.34}, idempotency_key="k")

    entry = caller.emulator.ledger.of("sessions")[0]
    assert entry.effects == {"session_token_sha256": short_hash(answer.json()["token"])}
    assert (entry.amount, entry.currency, entry.idempotency_key) == (Decimal("12.34"), "USD", "k")
    assert (entry.account, entry.entity) == (seed.ACCOUNT_US.id, seed.ENTITY_US)


@pytest.mark.parametrize(
    ("body", "status", "category", "reason"),
    [
        ({}, 400, "22", "currency, processPayment and amount are required"),
        (PAY | {"amount": "1e2"}, 400, "20", "an amount in no plain digits"),
        (PAY | {"amount": True}, 400, "20", "no number"),
        (PAY | {"amount": 0}, 400, "20", "nothing to pay"),
        (PAY | {"amount": -1}, 400, "20", "less than nothing"),
        (PAY | {"amount": 0.1 + 0.2}, 400, "20", "digits of a binary fraction"),
        (PAY | {"currency": "JPY", "amount": 1.5}, 400, "20", "yen have no decimals"),
        (PAY | {"currency": "usd"}, 400, "20", "small letters"),
        (PAY | {"currency": "DOLLAR"}, 400, "20", "no code"),
        (PAY | {"processPayment": "true"}, 400, "20", "a boolean as text"),
        (PAY | {"accountId": None}, 400, "22", "a payment needs an account"),
        (PAY | {"accountId": "A99999999"}, 404, "40", "no such account"),
        (PAY | {"paymentGateway": seed.GATEWAY_US.name}, 404, "40", "a name where an id is wanted"),
        (PAY | {"paymentGateway": seed.GATEWAY_EU.id}, 404, "40", "another entity's gateway"),
        (PAY | {"gatewayOptions": {"a": 1}}, 400, "20", "options are text"),
        (STORE | {"storePaymentMethod": False}, 400, "30", "neither pays nor stores"),
        (STORE | {"invoices": [{"invoiceNumber": "INV00000001"}]}, 400, "30", "invoices without a payment"),
        (PAY | {"invoices": []}, 400, "20", "no invoice"),
        (PAY | {"invoices": [{}]}, 400, "22", "no number"),
        (PAY | {"invoices": [{"invoiceNumber": "INV99999999"}]}, 404, "40", "no such invoice"),
        (PAY | {"invoices": [{"invoiceNumber": "INV00000007"}]}, 404, "40", "another account's invoice"),
        (PAY | {"invoices": [{"invoiceNumber": "INV00000003"}]}, 400, "30", "a paid invoice"),
        (PAY | {"amount": 99, "invoices": [{"invoiceNumber": "INV00000001"}]}, 400, "30", "another sum"),
        (PAY | {"invoices": [{"invoiceNumber": "INV00000001"}] * 2}, 400, "20", "an invoice twice"),
        (PAY | {"currency": "EUR", "invoices": [{"invoiceNumber": "INV00000001"}]}, 400, "30", "other money"),
    ],
)
async def test_refusing_says_why(caller: Caller, body: dict[str, Any], status: int, category: str, reason: str) -> None:
    sent = {name: value for name, value in body.items() if value is not None}

    answer = await caller.post(SESSIONS, sent)

    assert answer.status_code == status, reason
    assert answer.json()["reasons"][0]["code"] == f"710125{category}", reason
    assert caller.emulator.ledger.count("sessions") == 0


async def test_refusing_gives_all_reasons(caller: Caller) -> None:
    answer = await caller.post(SESSIONS, {"amount": "one"})

    assert [reason["code"][-2:] for reason in answer.json()["reasons"]] == ["22", "22", "20"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff"])
async def test_refusing_wants_a_json_object(caller: Caller, content: bytes) -> None:
    answer = await caller.http.post(SESSIONS, content=content, headers=await caller.bearer())

    assert answer.json()["reasons"][0]["code"] == "71012590"


async def test_switches_path_with_a_version_is_off(caller: Caller, call_with: CallWith) -> None:
    assert (await caller.post("/v1" + SESSIONS, STORE)).status_code == 404
    assert (await call_with(accept_v1_sessions_path=True).post("/v1" + SESSIONS, STORE)).status_code == 200


async def test_switches_failures_may_hide_below_200(call_with: CallWith) -> None:
    answer = await call_with(sessions_failures="success_false").post(SESSIONS, {})

    assert (answer.status_code, answer.json()["success"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"authAmount": 1}, 200),
        ({"amount": 1}, 400),
        ({"authAmount": 0}, 400),
        ({"authAmount": "one"}, 400),
    ],
)
async def test_switches_auth_amount_of_the_older_text(call_with: CallWith, body: dict[str, Any], status: int) -> None:
    caller = call_with(legacy_auth_amount=True)

    assert (await caller.post(SESSIONS, {"currency": "USD", "processPayment": False, **body})).status_code == status


@pytest.mark.parametrize(("choice", "status"), [("accept", 200), ("refuse", 400)])
async def test_switches_the_amount_of_a_sample_is_text(call_with: CallWith, choice: str, status: int) -> None:
    caller = call_with(text_amounts=choice)

    answer = await caller.post(SESSIONS, PAY | {"amount": "100.00"})

    assert answer.status_code == status
    if status == 200:
        assert caller.emulator.ledger.of("sessions")[0].amount == 100


async def test_switches_unlisted_modes_may_pass(call_with: CallWith) -> None:
    caller = call_with(accept_purposeless_session=True, accept_invoices_without_payment=True)

    purposeless = await caller.post(SESSIONS, STORE | {"storePaymentMethod": False})
    verified = await caller.post(
        SESSIONS, PAY | {"processPayment": False, "invoices": [{"invoiceNumber": "INV00000001"}]}
    )

    assert [purposeless.status_code, verified.status_code] == [200, 200]


@pytest.mark.parametrize(("by", "key", "status"), [("id", "A00000001", 404), ("number", "A00000001", 200)])
async def test_switches_account_reference(call_with: CallWith, by: str, key: str, status: int) -> None:
    caller = call_with(account_reference=by)

    assert (await caller.post(SESSIONS, PAY | {"accountId": key})).status_code == status
