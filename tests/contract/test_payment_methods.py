from typing import Any

import pytest
from contract.zuora_caller import METHODS, Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

CARD = {"card_number": "4111111111111111", "brand": "visa", "expiry_month": 12, "expiry_year": 2031}
IBAN = "DE89370400440532013000"
OBJECTS = {
    "card": CARD | {"security_code": "987", "mandate": {"id": "m", "verify": True}},
    "cc_ref": {"token": "cus_12345678", "second_token": "card_12345678", "card": {"brand": "visa"}},
    "ach_debit": {
        "bank_aba_code": "021000021",
        "bank_account_name": "Jo",
        "bank_account_type": "checking",
        "bank_name": "Bank",
        "bank_account_number": "12345678901",
    },
    "sepa_debit": {"IBAN": IBAN, "mandate": {"id": "m", "reason": "r"}},
    "bacs_debit": {"account_number": "12345678901", "bank_code": "b"},
    "au_becs_debit": {"account_number": "12345678901", "branch_code": "b"},
    "nz_becs_debit": {"account_number": "12345678901", "branch_code": "b", "bank_code": "b"},
    "pad_debit": {"account_number": "12345678901", "branch_code": "b", "bank_code": "b"},
    "betalings_debit": {"account_number": "12345678901", "identity_number": "i12345", "bank_code": "b"},
    "autogiro_debit": {"account_number": "12345678901", "identity_number": "i12345", "branch_code": "b"},
    "paypal_express": {"baid": "b", "email": "e@example.com"},
    "paypal_express_native": {"baid": "b"},
    "paypal_adaptive": {"preapproval_key": "p", "email": "e@example.com"},
}
SEPA = {"type": "sepa_debit", "sepa_debit": OBJECTS["sepa_debit"]}


@pytest.mark.parametrize("type_", OBJECTS)
async def test_creating_every_type(caller: Caller, type_: str) -> None:
    body = {"type": type_, type_: OBJECTS[type_], "account_id": seed.ACCOUNT_US.id}

    answer = await caller.post(METHODS, body, zuora_track_id="t")

    shown = answer.json()
    assert answer.status_code == 201
    assert (shown["type"], shown["account_id"], shown["state"]) == (type_, seed.ACCOUNT_US.id, "active")
    assert shown["created_time"] == "2026-11-20T12:00:00+00:00"
    for secret in ("4111111111111111", "987", "12345678901", IBAN, "cus_12345678"):
        assert secret not in answer.text.replace(shown["id"], "")
    assert caller.emulator.ledger.of("payment_methods")[0].effects == {"payment_method_id": shown["id"]}


async def test_creating_shows_a_card_by_its_end(caller: Caller) -> None:
    answer = await caller.post(METHODS, {"type": "card", "card": CARD})

    assert answer.json()["card"] == {"brand": "visa", "expiry_month": 12, "expiry_year": 2031, "last_4": "1111"}
    assert answer.json()["bank_identification_number"] == "411111"
    assert "account_id" not in answer.json()


async def test_creating_gives_back_the_other_fields(caller: Caller) -> None:
    more = {
        "billing_details": {"name": "Jo", "address": {"country": "CH", "city": "Bern"}},
        "custom_fields": {"level__c": 1.50, "x": None},
        "maximum_payment_attempts": 3,
        "ip_address": None,
    }

    answer = await caller.post(METHODS, SEPA | more | {"account_number": "A00000001", "is_default": True})

    body = answer.json()
    assert {name: body[name] for name in more} == more
    assert '"level__c":1.5' in answer.text
    assert body["account_id"] == seed.ACCOUNT_US.id
    assert body["use_default_retry_rule"] is False


@pytest.mark.parametrize(
    ("body", "code", "parameter", "reason"),
    [
        ({}, "missing_parameter", "type", "the only required field"),
        ({"type": "sepa_debit"}, "missing_parameter", "sepa_debit", "the type's object"),
        ({"type": "google_pay", "google_pay": {"customer_token": {}}}, "invalid_parameter", "type", "no type"),
        ({"type": "other"}, "invalid_request", "type", "a type without an object"),
        ({"type": 1}, "invalid_parameter_string", "type", "text"),
        (SEPA | {"accountId": "x"}, "unknown_parameter", "accountId", "camel case"),
        (
            {"type": "sepa_debit", "sepa_debit": {"iban": IBAN}},
            "unknown_parameter",
            "sepa_debit.iban",
            "IBAN is in capitals",
        ),
        ({"type": "sepa_debit", "sepa_debit": {}}, "missing_parameter", "sepa_debit.IBAN", "required inside"),
        ({"type": "sepa_debit", "sepa_debit": {"IBAN": ""}}, "missing_parameter", "sepa_debit.IBAN", "empty"),
        ({"type": "sepa_debit", "sepa_debit": "x"}, "invalid_parameter", "sepa_debit", "an object"),
        (
            {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE00370400440532013000"}},
            "invalid_value",
            "sepa_debit.IBAN",
            "check digits",
        ),
        (SEPA | {"card": CARD}, "parameters_exclusive", "card", "another type's object"),
        (SEPA | {"is_default": "yes"}, "invalid_parameter_boolean", "is_default", "boolean"),
        (
            SEPA | {"maximum_payment_attempts": "3"},
            "invalid_parameter_number",
            "maximum_payment_attempts",
            "number",
        ),
        (SEPA | {"payment_retry_interval": 1.5}, "invalid_parameter_integer", "payment_retry_interval", "integer"),
        (SEPA | {"gateway_options": {"a": 1}}, "invalid_parameter_string", "gateway_options", "text only"),
        (SEPA | {"billing_details": {"zip": "1"}}, "unknown_parameter", "billing_details.zip", "closed inside"),
        ({"type": "card", "card": CARD | {"brand": "Visa"}}, "invalid_parameter", "card.brand", "small letters"),
        (SEPA | {"account_id": "nobody"}, "resource_not_found", "account_id", "no such account"),
        (SEPA | {"account_id": "A00000001"}, "resource_not_found", "account_id", "a number is no id"),
        (SEPA | {"account_id": seed.ACCOUNT_EU.id}, "resource_not_found", "account_id", "another entity's"),
        (
            SEPA | {"account_id": seed.ACCOUNT_US.id, "account_number": "A00000002"},
            "parameters_exclusive",
            "account_number",
            "two accounts",
        ),
        (SEPA | {"gateway_id": seed.GATEWAY_US.name}, "resource_not_found", "gateway_id", "a name is no id"),
    ],
)
async def test_refusing_says_what_is_wrong(
    caller: Caller, body: dict[str, Any], code: str, parameter: str | None, reason: str
) -> None:
    answer = await caller.post(METHODS, body)

    shown = answer.json()
    assert (answer.status_code, shown["type"], shown["retryable"]) == (400, "bad_request", False), reason
    assert (shown["errors"][0]["code"], shown["errors"][0]["parameter"]) == (code, parameter), reason
    assert caller.emulator.ledger.count("payment_methods") == 0


async def test_refusing_gives_all_problems(caller: Caller) -> None:
    answer = await caller.post(METHODS, {"type": "card", "card": {}, "x": 1})

    assert len(answer.json()["errors"]) == 5


async def test_refusing_a_wrong_card_number_is_a_card_error(caller: Caller) -> None:
    answer = await caller.post(METHODS, {"type": "card", "card": CARD | {"card_number": "4111111111111112"}})

    assert answer.status_code == 402
    assert answer.json()["errors"][0]["code"] == "card_error"
    assert "retryable" not in answer.json()


async def test_refusing_unauthorized_has_the_code_of_an_expired_token(caller: Caller) -> None:
    answer = await caller.post(METHODS, SEPA, authorization=None)

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "authorization_token_expired"


async def test_refusing_flat_shape_is_a_switch(call_with: CallWith) -> None:
    answer = await call_with(quickstart_errors="flat").post(METHODS, {})

    assert sorted(answer.json()) == ["code", "message", "parameter", "type"]


async def test_refusing_types_without_object_may_pass(call_with: CallWith) -> None:
    answer = await call_with(accept_types_without_object=True).post(METHODS, {"type": "adyen_apple_pay"})

    assert answer.json()["type"] == "adyen_apple_pay"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("fields[]=id,type", ["id", "type"]),
        ("fields[]=type&fields[]=state", ["type", "state"]),
        ("payment_method.fields[]=type", ["type"]),
        ("fields[]=type&expand[]=account", ["account", "type"]),
        ("fields[]=type&page_size=99&filter[]=items[account_id].EQ:1", ["type"]),
    ],
)
async def test_query_selects(caller: Caller, query: str, shown: list[str]) -> None:
    answer = await caller.post(f"{METHODS}?{query}", SEPA | {"account_id": seed.ACCOUNT_US.id})

    assert sorted(answer.json()) == sorted(shown)


async def test_query_selects_in_the_account(caller: Caller) -> None:
    answer = await caller.post(
        f"{METHODS}?account.fields[]=account_number,currency", SEPA | {"account_id": seed.ACCOUNT_US.id}
    )

    assert answer.json()["account"] == {"account_number": "A00000001", "currency": "USD"}


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_size=100",
        "page_size=x",
        "page_size=" + "9" * 5000,
        "fields[]=nonsense",
        "account.fields[]=nonsense",
        "expand[]=no+word",
        "filter[]=nonsense",
        "nonsense=1",
    ],
)
async def test_query_is_refused(caller: Caller, query: str) -> None:
    answer = await caller.post(f"{METHODS}?{query}", SEPA)

    assert answer.status_code == 400
    assert caller.emulator.ledger.count("payment_methods") == 0


@pytest.mark.parametrize("query", ["expand[]=invoices", "expand[]=account.bill_to", "filter[]=name.EQ:x"])
async def test_query_forms_without_a_list_are_a_switch(caller: Caller, call_with: CallWith, query: str) -> None:
    strict = call_with(unknown_selections="refuse")

    assert (await caller.post(f"{METHODS}?{query}", SEPA)).status_code == 201
    assert (await strict.post(f"{METHODS}?{query}", SEPA)).status_code == 400


async def test_creating_shows_a_mandate_with_its_state_and_without_orders(caller: Caller) -> None:
    answer = await caller.post(METHODS, {"type": "card", "card": OBJECTS["card"]})

    assert answer.json()["card"]["mandate"] == {"id": "m", "state": "active"}


async def test_creating_shows_the_end_of_the_card_behind_a_reference(caller: Caller) -> None:
    with_card = {"type": "cc_ref", "cc_ref": OBJECTS["cc_ref"]}
    without = {"type": "cc_ref", "cc_ref": {"token": "cus_12345678"}}

    first, second = [(await caller.post(METHODS, body)).json()["cc_ref"] for body in (with_card, without)]

    assert first["card"] == {"brand": "visa", "last_4": second["card"]["last_4"]}
    assert len(second["card"]["last_4"]) == 4


async def test_refusing_names_no_parameter_where_there_is_none(caller: Caller) -> None:
    answer = await caller.http.post(METHODS, content=b"{", headers=await caller.bearer())

    assert list(answer.json()["errors"][0]) == ["code", "message"]
