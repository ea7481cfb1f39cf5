from decimal import Decimal
from typing import Any

import pytest
from contract.zuora_caller import DECRYPTION, METHODS, Caller, CallWith, apple_token, decryption
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

STORE = {"processPayment": None, "invoiceId": None, "paymentGateway": None}


def balance(caller: Caller, invoice: str) -> Decimal:
    return next(found.balance for found in caller.emulator.state.invoices.values() if found.number == invoice)


async def test_charge_pays_the_invoice_with_the_tokens_amount(caller: Caller) -> None:
    answer = await caller.post(DECRYPTION, decryption(paymentToken=apple_token(4000)), idempotency_key="k")

    body = answer.json()
    entry = caller.emulator.ledger.of("decryption")[0]
    assert answer.status_code == 200
    assert (body["amount"], body["success"]) == ("40.00", True)
    assert sorted(body) == ["amount", "paymentId", "paymentMethodId", "success"]
    assert balance(caller, "INV00000002") == Decimal("2.50")
    assert (entry.amount, entry.currency, entry.idempotency_key) == (Decimal("40.00"), "USD", "k")
    assert entry.effects["payment_id"] == body["paymentId"]


async def test_charge_counts_in_the_units_of_the_currency(caller: Caller) -> None:
    body = decryption(accountID=seed.ACCOUNT_JPY.id, invoiceId="INV00000006", paymentToken=apple_token(5000, "392"))

    answer = await caller.post(DECRYPTION, body)

    assert answer.json()["amount"] == "5000"
    assert balance(caller, "INV00000006") == 0


@pytest.mark.parametrize(
    ("fields", "status", "category", "reason"),
    [
        ({"invoiceId": None}, 400, 22, "no invoice"),
        ({"paymentGateway": None}, 400, 22, "no gateway"),
        ({"accountID": None}, 400, 22, "an orphan has no invoice"),
        ({"accountID": "A99999999"}, 404, 40, "no such account"),
        ({"invoiceId": "INV99999999"}, 404, 40, "no such invoice"),
        ({"invoiceId": "INV00000005"}, 404, 40, "another account's invoice"),
        ({"invoiceId": "INV00000003"}, 400, 30, "a paid invoice"),
        ({"paymentGateway": "No Such Gateway"}, 404, 40, "no such gateway"),
        ({"paymentGateway": seed.GATEWAY_EU.name}, 404, 40, "another entity's gateway"),
        ({"paymentGateway": "x" * 41}, 400, 20, "too long a name"),
        ({"paymentToken": apple_token(4251)}, 400, 30, "more than is owed"),
        ({"paymentToken": apple_token(0)}, 400, 20, "nothing"),
        ({"paymentToken": apple_token(100, "978")}, 400, 30, "other money"),
        ({"paymentToken": apple_token(100, "999")}, 400, 20, "no such money"),
        ({"integrationType": "GooglePay"}, 400, 20, "only Apple Pay"),
        ({"integrationType": None}, 400, 22, "required"),
        ({"merchantID": None}, 400, 22, "required"),
        ({"merchantID": "merchant.example.other"}, 400, 20, "a token of another merchant"),
        ({"paymentToken": None}, 400, 22, "required"),
        ({"paymentToken": "text"}, 400, 20, "the token is an object"),
        ({"paymentToken": {"paymentData": apple_token(100)}}, 400, 20, "a wrapper around the inner object"),
        ({"processPayment": "true"}, 400, 20, "a boolean as text"),
        ({"cardHolderInfo": {"cardHolderName": "x" * 51}}, 400, 20, "too long a name"),
        ({"mitProfileAction": "Activate"}, 400, 22, "the action needs source and type"),
        ({"mitProfileType": "Yearly"}, 400, 20, "no such type"),
    ],
)
async def test_charge_is_refused_without_effect(
    caller: Caller, fields: dict[str, Any], status: int, category: int, reason: str
) -> None:
    answer = await caller.post(DECRYPTION, decryption(**fields))

    assert answer.status_code == status, reason
    assert answer.json()["reasons"][0]["code"] == 53000000 + category, reason
    assert caller.emulator.state.payment_methods == {}
    assert caller.emulator.ledger.count("decryption") == 0


async def test_charge_a_token_is_used_once(caller: Caller) -> None:
    first = await caller.post(DECRYPTION, decryption(paymentToken=apple_token(1)))
    second = await caller.post(DECRYPTION, decryption(paymentToken=apple_token(1)))
    other = await caller.post(DECRYPTION, decryption(paymentToken=apple_token(1, transaction_id="t2")))

    assert [answer.status_code for answer in (first, second, other)] == [200, 400, 200]


async def test_charge_a_refused_token_may_come_again(caller: Caller) -> None:
    await caller.post(DECRYPTION, decryption(invoiceId="INV99999999"))

    assert (await caller.post(DECRYPTION, decryption())).status_code == 200


async def test_charge_declined_leaves_the_method(call_with: CallWith) -> None:
    caller = call_with(decline_payments=True)

    answer = await caller.post(DECRYPTION, decryption())

    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, False)
    assert body["paymentMethodId"] in caller.emulator.state.payment_methods
    assert body["reasons"][0]["code"] == 53000060
    assert "paymentId" not in body
    assert balance(caller, "INV00000002") == Decimal("42.50")
    assert "payment_id" not in caller.emulator.ledger.of("decryption")[0].effects


async def test_store_creates_a_method_and_pays_nothing(caller: Caller) -> None:
    answer = await caller.post(DECRYPTION, decryption(**STORE))

    assert sorted(answer.json()) == ["paymentMethodId", "success"]
    assert caller.emulator.ledger.of("decryption")[0].account == seed.ACCOUNT_US.id


async def test_store_without_account_is_an_orphan(caller: Caller) -> None:
    answer = await caller.post(DECRYPTION, decryption(**STORE, accountID=None))

    assert caller.emulator.state.payment_methods[answer.json()["paymentMethodId"]].account_id is None


@pytest.mark.parametrize(
    ("fields", "profile", "reason"),
    [
        ({}, "Active Recurring", "the defaults, by a gateway that knows profiles"),
        (
            {"accountID": seed.ACCOUNT_US_SOUTH.id},
            "Agreed Recurring",
            "the account's default gateway does not know profiles",
        ),
        ({"accountID": None}, "Agreed Recurring", "no gateway at all"),
        (
            {
                "accountID": seed.ACCOUNT_US_SOUTH.id,
                "mitProfileAction": "Persist",
                "mitProfileType": "Unscheduled",
                "mitConsentAgreementSrc": "External",
            },
            "Active Unscheduled",
            "a profile that exists elsewhere",
        ),
    ],
)
async def test_store_makes_a_stored_credential(
    caller: Caller, fields: dict[str, Any], profile: str, reason: str
) -> None:
    await caller.post(DECRYPTION, decryption(**STORE, **fields))

    assert caller.emulator.ledger.of("decryption")[0].effects["stored_credential"] == profile, reason


@pytest.mark.parametrize(
    ("switch", "key", "status"),
    [
        ("either", "INV00000002", 200),
        ("either", seed.INVOICE_US_SECOND.id, 200),
        ("id", "INV00000002", 404),
        ("number", seed.INVOICE_US_SECOND.id, 404),
    ],
)
async def test_switches_invoice_reference(call_with: CallWith, switch: str, key: str, status: int) -> None:
    answer = await call_with(invoice_reference=switch).post(DECRYPTION, decryption(invoiceId=key))

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("switch", "key", "status"),
    [
        ("either", seed.GATEWAY_US.id, 200),
        ("name", seed.GATEWAY_US.id, 404),
        ("id", seed.GATEWAY_US.name, 404),
    ],
)
async def test_switches_gateway_reference(call_with: CallWith, switch: str, key: str, status: int) -> None:
    answer = await call_with(gateway_reference=switch).post(DECRYPTION, decryption(paymentGateway=key))

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("rule", "minor", "status"),
    [("equal", 4250, 200), ("equal", 4249, 400), ("any", 9999, 200), ("at_most", 1, 200)],
)
async def test_switches_amount_rule(call_with: CallWith, rule: str, minor: int, status: int) -> None:
    answer = await call_with(amount_rule=rule).post(DECRYPTION, decryption(paymentToken=apple_token(minor)))

    assert answer.status_code == status


async def test_switches_wrapped_tokens_may_pass(call_with: CallWith) -> None:
    caller = call_with(accept_wrapped_apple_token=True)

    answer = await caller.post(DECRYPTION, decryption(paymentToken={"token": {"paymentData": apple_token(1)}}))

    assert answer.status_code == 200


async def test_switches_card_holder_name(call_with: CallWith) -> None:
    caller = call_with(require_card_holder_name=True)

    answer = await caller.post(DECRYPTION, decryption(cardHolderInfo={"city": "Bern"}))

    assert answer.json()["reasons"][0]["code"] == 53000022


async def test_quickstart_apple_pay_collects_the_payment(caller: Caller) -> None:
    body = {
        "type": "apple_pay",
        "account_id": seed.ACCOUNT_US.id,
        "apple_pay": {"customer_token": apple_token(4250), "collect_payment": True, "invoice_id": "INV00000002"},
    }

    answer = await caller.post(METHODS, body)

    entry = caller.emulator.ledger.of("payment_methods")[0]
    assert answer.status_code == 201
    assert answer.json()["apple_pay"]["payment_id"] == entry.effects["payment_id"]
    assert "customer_token" not in answer.json()["apple_pay"]
    assert (entry.amount, balance(caller, "INV00000002")) == (Decimal("42.50"), 0)


async def test_quickstart_apple_pay_may_only_store(caller: Caller) -> None:
    body = {"type": "apple_pay", "apple_pay": {"customer_token": apple_token(4250)}}

    answer = await caller.post(METHODS, body)

    shown = answer.json()["apple_pay"]
    assert shown["card"] == {"brand": "visa", "expiry_month": 12, "expiry_year": 2039, "last_4": "1111"}
    assert len(shown["token"]) == 32
    assert "last_transaction_time" not in answer.json()


async def test_quickstart_apple_pay_shares_used_tokens_with_the_decryption(caller: Caller) -> None:
    await caller.post(DECRYPTION, decryption())

    answer = await caller.post(METHODS, {"type": "apple_pay", "apple_pay": {"customer_token": apple_token(4250)}})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("wallet", "account", "parameter"),
    [
        ({"collect_payment": True}, seed.ACCOUNT_US.id, "apple_pay.invoice_id"),
        ({"collect_payment": True, "invoice_id": "INV00000002"}, None, "account_id"),
    ],
)
async def test_quickstart_apple_pay_needs_what_the_payment_needs(
    caller: Caller, wallet: dict[str, Any], account: str | None, parameter: str | None
) -> None:
    body = {"type": "apple_pay", "apple_pay": {"customer_token": apple_token(4250), **wallet}}

    answer = await caller.post(METHODS, body | ({"account_id": account} if account else {}))

    assert answer.json()["errors"][0] == {
        "code": "missing_parameter",
        "parameter": parameter,
        "message": answer.json()["errors"][0]["message"],
    }


async def test_quickstart_apple_pay_declined_is_a_card_error(call_with: CallWith) -> None:
    caller = call_with(decline_payments=True)
    wallet = {"customer_token": apple_token(4250), "collect_payment": True, "invoice_id": "INV00000002"}

    answer = await caller.post(METHODS, {"type": "apple_pay", "account_id": seed.ACCOUNT_US.id, "apple_pay": wallet})

    assert (answer.status_code, answer.json()["type"]) == (402, "request_failed")
    assert caller.emulator.ledger.count("payment_methods") == 0


@pytest.mark.parametrize(
    ("wallet", "code", "parameter"),
    [
        ({"customer_token": {}}, "invalid_parameter", "apple_pay.customer_token"),
        ({"customer_token": apple_token(9999)}, "invalid_request", "apple_pay.customer_token"),
        ({"invoice_id": "INV99999999"}, "resource_not_found", "apple_pay.invoice_id"),
        ({"id": "merchant.example.other"}, "invalid_parameter", "apple_pay.customer_token"),
    ],
)
async def test_quickstart_apple_pay_names_its_own_parameters(
    caller: Caller, wallet: dict[str, Any], code: str, parameter: str
) -> None:
    good = {"customer_token": apple_token(4250), "collect_payment": True, "invoice_id": "INV00000002"}
    body = {"type": "apple_pay", "account_id": seed.ACCOUNT_US.id, "apple_pay": good | wallet}

    answer = await caller.post(METHODS, body)

    assert answer.status_code == 400
    assert (answer.json()["errors"][0]["code"], answer.json()["errors"][0]["parameter"]) == (code, parameter)
    assert caller.emulator.ledger.count("payment_methods") == 0
