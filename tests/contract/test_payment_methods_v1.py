from typing import Any

import pytest
from contract.zuora_caller import METHODS_V1, Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

CARD = {
    "type": "CreditCard",
    "cardHolderInfo": {"cardHolderName": "Jo"},
    "cardNumber": "4111111111111111",
    "cardType": "Visa",
    "expirationMonth": 12,
    "expirationYear": 2031,
}
GOOD = {
    "CreditCard": CARD,
    "CreditCardReferenceTransaction": {"tokenId": "t"},
    "ACH": {
        "bankABACode": "1",
        "bankAccountName": "n",
        "bankAccountNumber": "1",
        "bankAccountType": "Checking",
        "bankName": "b",
    },
    "SEPA": {"IBAN": "DE89370400440532013000"},
    "Betalingsservice": {"accountNumber": "1", "bankCode": "b", "identityNumber": "i"},
    "Autogiro": {"accountNumber": "1", "branchCode": "b", "identityNumber": "i"},
    "Bacs": {"accountNumber": "1", "bankCode": "b"},
    "Becs": {"accountNumber": "1", "branchCode": "b"},
    "Becsnz": {"accountNumber": "1", "bankCode": "b", "branchCode": "b"},
    "PAD": {"accountNumber": "1", "bankCode": "b", "branchCode": "b"},
    "PayPalCP": {"BAID": "b"},
    "PayPalEC": {"BAID": "b", "email": "e"},
    "PayPalNativeEC": {"BAID": "b"},
    "PayPalAdaptive": {"preapprovalKey": "p", "email": "e"},
    "AdyenApplePay": {"applePaymentData": '{"data":"x"}'},
    "AdyenGooglePay": {"googlePaymentToken": '{"data":"x"}'},
    "GooglePay": {"googlePaymentToken": '{"data":"x"}'},
    "AmazonPay": {"tokens": {"tokenId": "t"}},
    "Example__c_10001": {"anyField": "of the type"},
}


@pytest.mark.parametrize("type_", GOOD)
async def test_creating_every_type(caller: Caller, type_: str) -> None:
    body = {"type": type_, "accountKey": "A00000001", "makeDefault": True, **GOOD[type_]}

    answer = await caller.post(METHODS_V1, body)

    shown = answer.json()
    method = caller.emulator.state.payment_methods[shown["id"]]
    assert answer.status_code == 200
    assert sorted(shown) == ["id", "processId", "requestId", "success"]
    assert (method.type, method.account_id, method.is_default) == (type_, seed.ACCOUNT_US.id, True)


@pytest.mark.parametrize(
    ("body", "status", "code", "reason"),
    [
        ({}, 400, 22, "the type"),
        ({"type": "Cheque"}, 400, 20, "no such type"),
        ({"type": "Example__c_20002"}, 400, 20, "another tenant's custom type"),
        ({"type": "example__c_10001"}, 400, 20, "custom types begin with a capital"),
        ({"type": "Example__c_10001", "userReferenceId": "x"}, 400, 20, "a reserved name"),
        ({"type": "Example__c_10001", "any_field": "x"}, 400, 20, "an underscore in a custom type's field"),
        ({"type": "SEPA"}, 400, 22, "a field of the type"),
        ({"type": "SEPA", "IBAN": "DE00"}, 400, 20, "check digits"),
        (CARD | {"cardNumber": "4111111111111112"}, 400, 20, "check digits"),
        (CARD | {"cardType": "visa"}, 400, 20, "no such brand"),
        (CARD | {"expirationYear": None}, 400, 22, "required"),
        ({"type": "AdyenApplePay", "applePaymentData": {"data": "x"}}, 400, 20, "text, not an object"),
        ({"type": "AdyenApplePay", "applePaymentData": "no json"}, 400, 20, "JSON as text"),
        ({"type": "GooglePay", "googlePaymentToken": "[1]"}, 400, 20, "an object as text"),
        ({"type": "PayPalCP", "BAID": "b" * 65}, 400, 20, "too long"),
        (GOOD["Example__c_10001"] | {"type": "Example__c_10001", "ipAddress": "1" * 46}, 400, 20, "too long"),
        ({"type": "PayPalCP", "BAID": "b", "mandateInfo": {"mandateId": "m" * 37}}, 400, 20, "too long"),
        ({"type": "PayPalCP", "BAID": "b", "currencyCode": "dollar"}, 400, 20, "no code"),
        ({"type": "PayPalCP", "BAID": "b", "authGateway": "nobody"}, 404, 40, "no such gateway"),
        ({"type": "PayPalCP", "BAID": "b", "accountKey": "nobody"}, 404, 40, "no such account"),
        ({"type": "PayPalCP", "BAID": "b", "gatewayOptions": {"a": 1}}, 400, 20, "text only"),
    ],
)
async def test_refusing_says_why(caller: Caller, body: dict[str, Any], status: int, code: int, reason: str) -> None:
    answer = await caller.post(METHODS_V1, body)

    assert answer.status_code == status, reason
    assert answer.json()["reasons"][0]["code"] == 53010000 + int(code), reason
    assert caller.emulator.ledger.count("payment_methods_v1") == 0


TOKENS = {"gatewayType": "Stripe", "tokenId": "t", "secondTokenId": "s"}
BY_TOKENS = {
    "CreditCard": {"cardType": "Visa", "cardMaskNumber": "************1111"},
    "ACH": {name: GOOD["ACH"][name] for name in GOOD["ACH"] if name != "bankAccountNumber"}
    | {"bankAccountMaskNumber": "*****6789"},
    "SEPA": {"accountMaskNumber": "******3000"},
    "Bacs": {"accountMaskNumber": "******3000"},
    "PayPalCP": {},
}


@pytest.mark.parametrize("type_", BY_TOKENS)
async def test_creating_by_tokens_needs_no_number(caller: Caller, type_: str) -> None:
    body = {"type": type_, **BY_TOKENS[type_]}

    with_tokens, without = await caller.post(METHODS_V1, body | {"tokens": TOKENS}), await caller.post(METHODS_V1, body)

    assert [with_tokens.status_code, without.status_code] == [200, 400]


@pytest.mark.parametrize("type_", sorted(BY_TOKENS.keys() - {"PayPalCP"}))
async def test_creating_by_tokens_needs_the_masked_number(caller: Caller, type_: str) -> None:
    body = {name: value for name, value in BY_TOKENS[type_].items() if "Mask" not in name}

    answer = await caller.post(METHODS_V1, {"type": type_, "tokens": TOKENS, **body})

    assert answer.json()["reasons"][0]["code"] == 53010022


async def test_refusing_a_token_that_is_too_long(caller: Caller) -> None:
    answer = await caller.post(METHODS_V1, {"type": "PayPalCP", "tokens": TOKENS | {"tokenId": "t" * 256}})

    assert answer.json()["reasons"][0]["code"] == 53010020


async def test_creating_a_card_without_its_holder_is_a_switch(call_with: CallWith) -> None:
    body = {name: value for name, value in CARD.items() if name != "cardHolderInfo"}
    answers = [await call_with(require_card_holder_info=wanted).post(METHODS_V1, body) for wanted in (False, True)]

    assert [answer.status_code for answer in answers] == [200, 400]


async def test_refusing_more_methods_than_an_account_holds(call_with: CallWith) -> None:
    caller = call_with(most_methods_per_account=1)
    body = {"type": "PayPalCP", "BAID": "b", "accountKey": "A00000001"}

    first, second = await caller.post(METHODS_V1, body), await caller.post(METHODS_V1, body)

    assert [first.status_code, second.status_code] == [200, 429]


DUPLICATE = {
    "type": "SEPA",
    "accountKey": seed.ACCOUNT_US.number,
    "IBAN": "DE89370400440532013000",
    "processingOptions": {"checkDuplicated": True},
}


@pytest.mark.parametrize(
    ("switch", "change", "success", "reason"),
    [
        (True, {}, False, "the same number in the same account"),
        (True, {"processingOptions": {}}, True, "not asked for"),
        (True, {"accountKey": seed.ACCOUNT_JPY.number}, True, "in another account"),
        (True, {"IBAN": "GB82WEST12345698765432"}, True, "another number"),
        (False, {}, True, "a tenant without the check"),
    ],
)
async def test_a_duplicate_is_refused_where_it_is_checked(
    call_with: CallWith,
    switch: bool,  # noqa: FBT001 - a table
    change: dict[str, Any],
    success: bool,  # noqa: FBT001 - a table
    reason: str,
) -> None:
    caller = call_with(duplicate_check=switch)
    await caller.post(METHODS_V1, DUPLICATE)

    answer = await caller.post(METHODS_V1, DUPLICATE | change)

    assert answer.json()["success"] is success, reason


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("CreditCard", ("cardNumber",)),
        ("ACH", ("bankABACode", "bankAccountNumber")),
        ("Autogiro", ("accountNumber", "branchCode")),
        ("Bacs", ("accountNumber", "bankCode")),
        ("Becs", ("accountNumber", "branchCode")),
        ("Becsnz", ("accountNumber", "bankCode", "branchCode")),
        ("Betalingsservice", ("accountNumber", "bankCode")),
        ("PAD", ("accountNumber", "bankCode", "branchCode")),
    ],
)
async def test_a_duplicate_has_all_numbers_of_its_type(
    call_with: CallWith, kind: str, numbers: tuple[str, ...]
) -> None:
    """A method with another of its numbers is another method."""
    caller = call_with(duplicate_check=True, check_numbers=False)
    first = DUPLICATE | GOOD[kind] | {"type": kind}
    others = [first | {name: "9"} for name in numbers]

    answers = [await caller.post(METHODS_V1, body) for body in (first, *others, first)]

    assert [answer.json()["success"] for answer in answers] == [True, *(True for _ in numbers), False]
