"""POST /v1/payment-methods, for what Quickstart lacks: wallets by REST, custom (UPC) types, and the rest.

    {"type": "AdyenApplePay", "accountKey": "A00000001", "applePaymentData": "<JSON as text>"}
    200  {"id": "...", "success": true, "processId": "...", "requestId": "..."}

Source: Zuora v1 API reference, "Create a payment method", read 2026-11.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from zuora_emulator.answers import NOT_JSON, Answer, json_answer
from zuora_emulator.call import Call
from zuora_emulator.check_digits import is_card_number, is_iban
from zuora_emulator.fields import Fields
from zuora_emulator.ledger import short_hash
from zuora_emulator.state import Account, PaymentMethod
from zuora_emulator.upc_methods import check_gateway, token_data_of, validated

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "CreditCard": ("cardNumber", "cardType", "expirationMonth", "expirationYear"),
    "CreditCardReferenceTransaction": ("tokenId",),
    "ACH": ("bankABACode", "bankAccountName", "bankAccountNumber", "bankAccountType", "bankName"),
    "SEPA": ("IBAN",),
    "Betalingsservice": ("accountNumber", "bankCode", "identityNumber"),
    "Autogiro": ("accountNumber", "branchCode", "identityNumber"),
    "Bacs": ("accountNumber", "bankCode"),
    "Becs": ("accountNumber", "branchCode"),
    "Becsnz": ("accountNumber", "bankCode", "branchCode"),
    "PAD": ("accountNumber", "bankCode", "branchCode"),
    "PayPalCP": ("BAID",),
    "PayPalEC": ("BAID", "email"),
    "PayPalNativeEC": ("BAID",),
    "PayPalAdaptive": ("preapprovalKey", "email"),
    "AdyenApplePay": ("applePaymentData",),
    "AdyenGooglePay": ("googlePaymentToken",),
    "GooglePay": ("googlePaymentToken",),
    "AmazonPay": ("tokens",),
}
"""The fields a type cannot do without."""
UNNEEDED_WITH_TOKENS: Mapping[str, tuple[str, frozenset[str]]] = {
    "CreditCard": ("cardMaskNumber", frozenset({"cardNumber", "expirationMonth", "expirationYear"})),
    "ACH": ("bankAccountMaskNumber", frozenset({"bankAccountNumber"})),
    "SEPA": ("accountMaskNumber", frozenset({"IBAN"})),
    "Bacs": ("accountMaskNumber", frozenset({"accountNumber", "bankCode"})),
    "PayPalCP": ("tokens", frozenset({"BAID"})),
}
"""The fields that a type does not need with `tokens`, and what it needs in their place."""

LONGEST: Mapping[str, int] = {
    "BAID": 64,
    "bankAccountName": 70,
    "bankAccountNumber": 70,  # the specification says 30, the SDK 70: the larger, so that neither is refused here
    "bankName": 70,
    "creditCardMaskNumber": 19,
    "email": 80,
    "identityNumber": 256,
    "ipAddress": 45,
    "mitConsentAgreementRef": 128,
    "mitNetworkTransactionId": 128,
    "paymentGatewayNumber": 40,
    "paymentMethodNumber": 32,
    "preapprovalKey": 32,
    "secondTokenId": 64,
    "tokenId": 255,
}
CHOICES = {
    "bankAccountType": ("BusinessChecking", "BusinessSaving", "Checking", "Saving"),
    "cardType": ("Visa", "MasterCard", "AmericanExpress", "Discover", "JCB", "Diners"),
    "mitProfileAction": ("Activate", "Persist"),
    "mitProfileType": ("Recurring", "Unscheduled"),
    "mitConsentAgreementSrc": ("External",),
}
TOKEN_LENGTHS = {"gatewayType": 255, "tokenId": 255, "secondTokenId": 64, "thirdTokenId": 64}
MANDATE_LENGTHS = {"mandateId": 36, "mandateReason": 64, "mandateStatus": 64}
_STRINGIFIED = ("applePaymentData", "googlePaymentToken")
_OBJECTS = frozenset({"cardHolderInfo", "tokens"})
NUMERIC = frozenset({"expirationMonth", "expirationYear"})
_RESERVED = frozenset(
    [
        "achcity",
        "accountid",
        "accountnumber",
        "baid",
        "bankidentificationnumber",
        "cardholderinfo",
        "createdby",
        "createddate",
        "existingmandate",
        "id",
        "iscompany",
        "isdefault",
        "lastfailedsaletransactiondate",
        "lasttransaction",
        "lasttransactiondatetime",
        "lasttransactionstatus",
        "maxconsecutivepaymentfailures",
        "methodreferenceid",
        "methodspecificdata",
        "numconsecutivefailures",
        "paymentretrywindow",
        "status",
        "subtype",
        "success",
        "tokenid",
        "totalnumberoferrorpayments",
        "totalnumberofprocessedpayments",
        "updatedby",
        "updateddate",
        "usedefaultretryrule",
        "userreferenceid",
    ]
)
"""Reserved field names of custom types, without those that are members of this operation's body."""
CUSTOM_TYPE = re.compile(r"([A-Z][A-Za-z0-9]{0,18})__c_([0-9]+)")


async def create_payment_method_v1(call: Call) -> Answer:
    """Create a payment method; the hub of a defined custom type is asked first.

    Raises:
        Refused: with everything that is wrong with the request.
    """
    fields = Fields(call.body)
    kind = fields.text("type", required=True)
    if kind is not None:
        _check_type(call, fields, kind)
    _check_common(call, fields)
    _check_formats(call, fields, kind)
    account = _account(call, fields)
    custom = call.upc.type_of(kind or "")
    token_data: Mapping[str, Any] = {}
    if custom:
        token_data = token_data_of(fields, call.body, custom)
        check_gateway(call, fields)
    number_hash = _number_hash(call, kind or "")
    _check_duplicate(call, fields, account, number_hash)
    fields.finish()
    method = _new_method(call, kind or "", account, token_data)
    outcome = await validated(call, method, account) if custom else method
    if isinstance(outcome, Answer):
        return outcome
    call.state.add_method(replace(outcome, number_hash=number_hash))
    call.record(account=method.account_id, effects={"payment_method_id": method.id})
    body = {
        "id": method.id,
        "success": True,
        "processId": call.arrived.process_id,
        "requestId": call.arrived.request_id,
    }
    return json_answer(200, body)


def _check_type(call: Call, fields: Fields, kind: str) -> None:
    custom = CUSTOM_TYPE.fullmatch(kind)
    if custom is not None and custom.group(2) == call.client.tenant:
        _check_own_fields(call, fields)
        return
    if kind not in REQUIRED:
        fields.refuse(20, "Invalid value: type is no payment method type of this tenant", "type")
        return
    for name in _required(call, kind):
        if name in _OBJECTS:
            fields.mapping(name, required=True)
        elif name not in NUMERIC:
            fields.text(name, required=True, longest=LONGEST.get(name), allowed=CHOICES.get(name))
        elif name not in fields:
            fields.refuse(22, f"Missing required value: {name}", name)


def _required(call: Call, kind: str) -> tuple[str, ...]:
    """Return the fields that this request cannot do without."""
    required = REQUIRED.get(kind, ())
    if kind == "CreditCard" and call.settings.require_card_holder_info:
        required = ("cardHolderInfo", *required)
    in_place, unneeded = UNNEEDED_WITH_TOKENS.get(kind, ("", frozenset()))
    if not in_place or "tokens" not in call.body or in_place not in call.body:
        return required
    return tuple(dict.fromkeys((*(name for name in required if name not in unneeded), "tokens", in_place)))


def _check_own_fields(call: Call, fields: Fields) -> None:
    """Refuse names that no field of a custom type can have. What real Zuora does with them is not documented."""
    for name in call.body:
        if name.lower() in _RESERVED:
            fields.refuse(20, f"Invalid value: {name} is a reserved field name", name)
        elif "_" in name and not name.endswith("__c"):
            fields.refuse(20, f"Invalid value: {name} must have letters and digits only", name)


def _check_common(call: Call, fields: Fields) -> None:
    required = _required(call, str(call.body.get("type")))
    for name, longest in LONGEST.items():
        if name not in required:
            fields.text(name, longest=longest)
    for name, allowed in CHOICES.items():
        if name not in required:
            fields.text(name, allowed=allowed)
    for name in ("makeDefault", "skipValidation"):
        fields.flag(name)
    fields.text_mapping("gatewayOptions")
    fields.mapping("processingOptions")
    _check_texts(fields, "mandateInfo", MANDATE_LENGTHS)
    _check_texts(fields, "tokens", TOKEN_LENGTHS)
    currency = fields.text("currencyCode")
    if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
        fields.refuse(20, "Invalid value: currencyCode must be a three-letter ISO 4217 code", "currencyCode")
    gateway = fields.text("authGateway")
    if gateway is not None and not call.state.gateway(gateway, tenant=call.client.tenant, entity=call.entity):
        fields.refuse(40, "Cannot find a payment gateway with this id", "authGateway")


def _check_texts(fields: Fields, name: str, lengths: Mapping[str, int]) -> None:
    """Check the texts of a nested object."""
    nested = fields.mapping(name)
    if nested is None:
        return
    inner = fields.inside(nested, path=f"{name}.")
    for member, longest in lengths.items():
        inner.text(member, longest=longest)
    fields.adopt(inner)


def _check_formats(call: Call, fields: Fields, kind: str | None) -> None:
    for name in _STRINGIFIED:
        value = call.body.get(name)
        if isinstance(value, str) and value and not _is_json_object(value):
            fields.refuse(20, f"Invalid value: {name} must be a JSON object as text", name)
    if not call.settings.check_numbers:
        return
    required = _required(call, kind or "")
    if kind == "CreditCard" and "cardNumber" in required and not is_card_number(str(call.body.get("cardNumber"))):
        fields.refuse(20, "Invalid value: cardNumber is no card number", "cardNumber")
    if kind == "SEPA" and "IBAN" in required and not is_iban(str(call.body.get("IBAN"))):
        fields.refuse(20, "Invalid value: IBAN is no IBAN", "IBAN")


def _is_json_object(text: str) -> bool:
    try:
        decoded: Any = msgspec.json.decode(text)
    except NOT_JSON:
        return False
    return isinstance(decoded, dict)


def _account(call: Call, fields: Fields) -> Account | None:
    key = fields.text("accountKey")
    if key is None:
        return None
    account = call.account(key)
    if account is None:
        fields.refuse(40, "Cannot find an account with this accountKey", "accountKey")
        return None
    most = call.settings.most_methods_per_account
    held = sum(method.account_id == account.id for method in call.state.payment_methods.values()) if most else 0
    if most and held >= most:
        fields.refuse(70, f"An account has at most {most} payment methods", "accountKey")
    return account


_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "CreditCard": ("cardNumber",),
    "ACH": ("bankABACode", "bankAccountNumber"),
    "Autogiro": ("accountNumber", "branchCode"),
    "Bacs": ("accountNumber", "bankCode"),
    "Becs": ("accountNumber", "branchCode"),
    "Becsnz": ("accountNumber", "bankCode", "branchCode"),
    "Betalingsservice": ("accountNumber", "bankCode"),
    "SEPA": ("IBAN",),
    "PAD": ("accountNumber", "bankCode", "branchCode"),
}
"""The fields by which the duplicate check compares methods, by type."""


def _number_hash(call: Call, kind: str) -> str:
    values = [str(call.body.get(name, "")) for name in _NUMBERS.get(kind, ())]
    return short_hash("/".join([kind, *values])) if values and all(values) else ""


def _check_duplicate(call: Call, fields: Fields, account: Account | None, number_hash: str) -> None:
    """Refuse a method that its account has already, where the tenant has the check and the request asks for it."""
    options = call.body.get("processingOptions")
    is_asked = isinstance(options, Mapping) and options.get("checkDuplicated") is True
    if not (call.settings.duplicate_check and is_asked and account and number_hash):
        return
    methods = call.state.payment_methods.values()
    if any(method.account_id == account.id and method.number_hash == number_hash for method in methods):
        fields.refuse(30, "The account has this payment method already.", "accountKey")


def _new_method(call: Call, kind: str, account: Account | None, token_data: Mapping[str, Any]) -> PaymentMethod:
    return PaymentMethod(
        id=call.ids.object_id(),
        tenant=call.client.tenant,
        entity=call.entity,
        account_id=account.id if account else None,
        type=kind,
        is_default=call.body.get("makeDefault", False),
        token_data=token_data,
        created_at=call.arrived.now,
        last_digits=str(call.body.get("cardNumber", ""))[-4:] if kind == "CreditCard" else "",
    )
