"""The schemas of what the emulator takes, from the tables by which it checks requests."""

from collections.abc import Mapping
from typing import Any

from zuora_emulator import payment_methods_v1 as v1
from zuora_emulator.declines import DECLINES
from zuora_emulator.decryption import HOLDER_LENGTHS, LONGEST_GATEWAY_NAME
from zuora_emulator.oauth import CLIENT_ID_LENGTH, LONGEST_SECRET
from zuora_emulator.openapi.schema_parts import (
    AMOUNT,
    ANYTHING,
    CURRENCY,
    DATE,
    FILLED,
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    closed,
    items,
    one_of,
    opened,
    ref,
)
from zuora_emulator.payment_fields import LONGEST_REFERENCE
from zuora_emulator.payment_method_schema import OBJECTS, TOP, Field, Kind
from zuora_emulator.redemption import REDEEMED_TYPES
from zuora_emulator.sessions import MOST_INVOICES
from zuora_emulator.upc_records import METHOD_TYPES

_KINDS: Mapping[Kind, Schema] = {
    "string": TEXT,
    "nullable string": {"type": ["string", "null"]},
    "number": NUMBER,
    "integer": WHOLE,
    "boolean": FLAG,
    "string map": TEXTS,
    "any map": ANYTHING,
}


def request_schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    return {
        "TokenRequest": opened(
            {
                "client_id": {"type": "string", "minLength": CLIENT_ID_LENGTH, "maxLength": CLIENT_ID_LENGTH},
                "client_secret": FILLED | {"maxLength": LONGEST_SECRET},
                "grant_type": one_of(["client_credentials"]),
            },
            required=("client_id", "client_secret", "grant_type"),
        ),
        "SessionRequest": _session(),
        "ApplePayToken": opened(
            {"version": FILLED, "data": FILLED, "signature": FILLED, "header": ANYTHING},
            required=("version", "data", "signature", "header"),
        ),
        "DecryptionRequest": _decryption(),
        "PaymentMethodRequest": _payment_method(),
        "PaymentMethodRequestV1": _payment_method_v1(),
        "PaymentRequest": _payment(),
        "AccountOfMethod": {"anyOf": [closed({"account_id": FILLED}), closed({"account_number": FILLED})]},
        "AccountOfMethodV1": closed({"accountKey": FILLED}),
        "RedemptionRequest": opened({"type": one_of(REDEEMED_TYPES), "decline": one_of(list(DECLINES))}),
        "RefundRequest": _refund(),
    }


def _session() -> Schema:
    invoice = opened({"invoiceNumber": TEXT}, required=("invoiceNumber",))
    return opened(
        {
            "accountId": TEXT,
            "amount": AMOUNT,
            "authAmount": AMOUNT,
            "currency": CURRENCY,
            "gatewayOptions": TEXTS,
            "invoices": items(invoice, minItems=1, maxItems=MOST_INVOICES),
            "paymentGateway": TEXT,
            "processPayment": FLAG,
            "storePaymentMethod": FLAG,
        },
        required=("currency", "processPayment"),
    )


def _decryption() -> Schema:
    return opened(
        {
            "integrationType": one_of(["ApplePay"]),
            "merchantID": FILLED,
            "paymentToken": ref("ApplePayToken"),
            "processPayment": FLAG,
            "accountID": TEXT,
            "invoiceId": TEXT,
            "paymentGateway": TEXT | {"maxLength": LONGEST_GATEWAY_NAME},
            "cardHolderInfo": opened({name: _text_of(longest) for name, longest in HOLDER_LENGTHS.items()}),
            "mitProfileAction": one_of(v1.CHOICES["mitProfileAction"]),
            "mitProfileType": one_of(v1.CHOICES["mitProfileType"]),
            "mitConsentAgreementSrc": one_of(v1.CHOICES["mitConsentAgreementSrc"]),
        },
        required=("integrationType", "merchantID", "paymentToken"),
    )


def _text_of(longest: int) -> Schema:
    return {"type": "string", "maxLength": longest}


def _payment() -> Schema:
    document = {"invoiceId": FILLED, "invoiceNumber": FILLED, "amount": AMOUNT}
    return opened(
        {
            "type": one_of(["Electronic", "External"]),
            "accountId": TEXT,
            "accountNumber": TEXT,
            "amount": AMOUNT,
            "currency": CURRENCY,
            "effectiveDate": DATE,
            "paymentMethodId": TEXT,
            "paymentMethodType": one_of(METHOD_TYPES),
            "gatewayId": TEXT,
            "gatewayOptions": TEXTS,
            "comment": _text_of(255),
            "softDescriptor": _text_of(35),
            "softDescriptorPhone": _text_of(20),
            "referenceId": _text_of(LONGEST_REFERENCE),
            "invoices": items(opened(document, required=("amount",)), minItems=1),
        },
        required=("type", "amount", "currency"),
    )


def _refund() -> Schema:
    properties: dict[str, Schema] = {
        "type": one_of(["Electronic", "External"]),
        "totalAmount": AMOUNT,
        "methodType": one_of(METHOD_TYPES),
        "refundDate": DATE,
        "gatewayOptions": TEXTS,
        "comment": _text_of(255),
        "softDescriptor": _text_of(35),
        "softDescriptorPhone": _text_of(20),
        "referenceId": _text_of(LONGEST_REFERENCE),
        "secondRefundReferenceId": _text_of(LONGEST_REFERENCE),
    }
    return opened(properties, required=("type", "totalAmount"))


def _payment_method() -> Schema:
    types = TOP["type"].allowed
    variants = [
        {"properties": {"type": {"const": kind}}, "required": ["type", kind]} for kind in types if kind in OBJECTS
    ]
    bare = [kind for kind in types if kind not in OBJECTS]
    return _object_of(TOP) | {"anyOf": [*variants, {"properties": {"type": one_of(bare)}, "required": ["type"]}]}


def _object_of(fields: Mapping[str, Field]) -> Schema:
    optional = [name for name, field in fields.items() if not field.required]
    return closed({name: _value_of(field) for name, field in fields.items()}, optional=optional)


def _value_of(field: Field) -> Schema:
    if field.kind == "object":
        return _object_of(field.fields)
    if field.allowed:
        return one_of(field.allowed)
    return FILLED if field.required and field.kind == "string" else _KINDS[field.kind]


def _payment_method_v1() -> Schema:
    named: dict[str, Schema] = {name: TEXT for names in v1.REQUIRED.values() for name in names}
    masks = {in_place: TEXT for in_place, _ in v1.UNNEEDED_WITH_TOKENS.values()}
    texts: dict[str, Any] = {name: _text_of(longest) for name, longest in v1.LONGEST.items()}
    choices = {name: one_of(allowed) for name, allowed in v1.CHOICES.items()}
    properties = (
        named
        | dict.fromkeys(sorted(v1.NUMERIC), WHOLE)
        | masks
        | texts
        | choices
        | {
            "type": TEXT,
            "accountKey": TEXT,
            "authGateway": TEXT,
            "currencyCode": CURRENCY,
            "gatewayOptions": TEXTS,
            "makeDefault": FLAG,
            "skipValidation": FLAG,
            "processingOptions": ANYTHING,
            "cardHolderInfo": ANYTHING,
            "tokens": opened({name: _text_of(longest) for name, longest in v1.TOKEN_LENGTHS.items()}),
            "mandateInfo": opened({name: _text_of(longest) for name, longest in v1.MANDATE_LENGTHS.items()}),
        }
    )
    needed = [(kind, names) for kind, names in v1.REQUIRED.items()]
    for kind, (in_place, unneeded) in v1.UNNEEDED_WITH_TOKENS.items():
        kept = tuple(name for name in v1.REQUIRED[kind] if name not in unneeded)
        needed.append((kind, (*kept, *dict.fromkeys(("tokens", in_place)))))
    variants: list[Schema] = [
        {"properties": {"type": {"const": kind}}, "required": ["type", *names]} for kind, names in needed
    ]
    custom = {"type": "string", "pattern": f"^{v1.CUSTOM_TYPE.pattern}$"}
    return opened(properties, required=("type",)) | {"anyOf": [*variants, {"properties": {"type": custom}}]}
