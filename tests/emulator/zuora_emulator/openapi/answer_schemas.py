"""The schemas of what the emulator answers: successes of each operation, and failures in each dialect."""

from collections.abc import Mapping
from typing import Any

from zuora_emulator.errors import QUICKSTART_TYPES
from zuora_emulator.openapi.schema_parts import (
    AMOUNT_AS_TEXT,
    ANYTHING,
    CURRENCY,
    DATE,
    FILLED,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    closed,
    items,
    nullable,
    one_of,
    ref,
)
from zuora_emulator.payment_method_schema import OBJECTS, TOP, Field
from zuora_emulator.selection import ACCOUNT_FIELDS
from zuora_emulator.upc_records import METHOD_TYPES

_HEX_32: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_PROCESS_ID: Schema = {"type": "string", "pattern": "^[0-9A-F]{16}$"}
_LAST_4: Schema = {"type": "string", "pattern": "^[0-9]{4}$"}
_MANDATE_STATE = one_of(["active", "canceled", "expired", "agreed"])
_GATEWAY_TYPES = ("payment_gateway_error",)
"""Words for the kind of a Quickstart error that have no status of their own."""
_RESPONSE_ONLY: Mapping[str, Mapping[str, Schema]] = {
    "card": {"last_4": _LAST_4},
    "mandate": {"state": _MANDATE_STATE},
}
"""By name of the object, what is in an answer and not in a request."""


def answer_schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    return _failures() | {
        "Token": closed(
            {"access_token": _HEX_32, "token_type": one_of(["bearer"]), "expires_in": WHOLE, "scope": TEXT, "jti": TEXT}
        ),
        "Session": closed({"token": {"type": "string", "minLength": 32, "maxLength": 32}}),
        "Decryption": closed(
            {"paymentMethodId": _HEX_32, "paymentId": _HEX_32, "amount": AMOUNT_AS_TEXT, "success": {"const": True}},
            optional=("paymentId", "amount"),
        ),
        "CreatedV1": closed({"id": _HEX_32, "success": {"const": True}, "processId": _PROCESS_ID, "requestId": FILLED}),
        "Accepted": closed({"request_id": FILLED}),
        "PaymentMethod": _payment_method(),
        "PaymentMethodList": closed({"next_page": nullable(FILLED), "data": items(ref("PaymentMethod"))}),
        "PaymentMethodV1": _payment_method_v1(),
        "Redemption": closed(
            {"success": {"const": True}, "paymentMethodId": _HEX_32, "paymentId": _HEX_32},
            optional=("paymentMethodId", "paymentId"),
        ),
        "Account": closed(dict.fromkeys(ACCOUNT_FIELDS, ANY_VALUE), optional=ACCOUNT_FIELDS),
        "Payment": _payment(),
        "PaymentList": _list_of("payments", _payment()),
        "Refund": _refund(),
        "RefundList": _list_of("refunds", _refund()),
    }


ANY_VALUE: Schema = {}


def _failures() -> dict[str, Schema]:
    code = {"anyOf": [WHOLE, {"type": "string", "pattern": "^([0-9]{8}|[0-9]{2}|SystemError)$"}]}
    problem = {"code": FILLED, "parameter": FILLED, "message": FILLED}
    kinds = one_of([*QUICKSTART_TYPES.values(), *_GATEWAY_TYPES])
    return {
        "Reasons": items(closed({"code": code, "message": FILLED}), minItems=1),
        "Failure": closed(
            {
                "success": {"const": False},
                "processId": _PROCESS_ID,
                "requestId": FILLED,
                "reasons": ref("Reasons"),
                "paymentMethodId": _HEX_32,
            },
            optional=("paymentMethodId", "processId", "requestId"),
        ),
        "BrowserError": closed(
            {"success": {"const": False}, "error": closed({"type": FILLED, "code": FILLED, "message": FILLED})}
        ),
        "BareReasons": closed({"reasons": ref("Reasons")}),
        "Message": closed({"message": FILLED}),
        "ErrorV1": {"anyOf": [ref("Failure"), ref("BareReasons"), ref("Message")]},
        "QuickstartErrors": closed(
            {
                "type": kinds,
                "errors": items(closed(problem, optional=("parameter",)), minItems=1),
                "retryable": FLAG,
            },
            optional=("retryable",),
        ),
        "FlatQuickstartError": closed({"type": kinds, **problem}, optional=("parameter",)),
        "QuickstartError": {"anyOf": [ref("QuickstartErrors"), ref("FlatQuickstartError")]},
    }


def _payment_method() -> Schema:
    shown = {name: _shown(name, field) for name, field in TOP.items() if not field.secret}
    own = {
        "id": _HEX_32,
        "created_by_id": FILLED,
        "created_time": TIME,
        "updated_by_id": FILLED,
        "updated_time": TIME,
        "state": one_of(["active", "closed", "scrubbed"]),
        "auto_generated": FLAG,
        "use_default_retry_rule": FLAG,
        "existing_mandate": FLAG,
        "number_of_consecutive_failures": WHOLE,
        "total_number_of_processed_payments": WHOLE,
        "total_number_of_error_payments": WHOLE,
        "last_transaction_time": TIME,
        "last_transaction_status": TEXT,
        "last_failed_sale_transaction_time": TIME,
        "account": ref("Account"),
    }
    wallet_card = _shown("card", TOP["card"])
    wallet = {"card": wallet_card, "token": FILLED, "mandate": _mandate(), "payment_id": _HEX_32}
    shown |= {"apple_pay": closed(wallet, optional=wallet), "google_pay": closed(wallet, optional=wallet)}
    everything = shown | own
    return closed(everything, optional=everything)


def _payment_method_v1() -> Schema:
    texts = ("type", "status", "createdBy", "createdDate", "updatedBy", "updatedDate", "existingMandate")
    counts = ("numConsecutiveFailures", "totalNumberOfProcessedPayments", "totalNumberOfErrorPayments")
    mandate = closed(dict.fromkeys(("mitProfileType", "mitConsentAgreementSrc", "mandateStatus"), FILLED))
    members = {"id": _HEX_32, "success": {"const": True}, "isDefault": FLAG, "useDefaultRetryRule": FLAG}
    members |= dict.fromkeys(texts, FILLED) | dict.fromkeys(counts, WHOLE)
    return closed(members | {"cardNumber": FILLED, "mandateInfo": mandate}, optional=("cardNumber", "mandateInfo"))


def _mandate() -> Schema:
    return closed({"id": TEXT, "reason": TEXT, "state": _MANDATE_STATE}, optional=("id", "reason"))


def _shown(name: str, field: Field) -> Schema:
    """Return the schema of a field of a request as an answer shows it."""
    match field.kind:
        case "object":
            inner = {key: _shown(key, each) for key, each in field.fields.items() if not each.secret}
            inner |= _RESPONSE_ONLY.get(name, {})
            needed = {key for key, each in field.fields.items() if each.required} if name in OBJECTS else set()
            return closed(inner, optional=[key for key in inner if key not in needed])
        case "any map" | "string map":
            return ANYTHING
        case "nullable string":
            return nullable(TEXT)
        case kind:
            return one_of(field.allowed) if field.allowed else {"type": kind}


def _transaction() -> dict[str, Any]:
    return {
        "success": {"const": True},
        "id": _HEX_32,
        "number": FILLED,
        "status": one_of(["Processing", "Processed", "Error"]),
        "type": one_of(["Electronic", "External"]),
        "accountId": nullable(FILLED),
        "amount": NUMBER,
        "comment": nullable(TEXT),
        "paymentMethodId": nullable(_HEX_32),
        "gatewayId": nullable(FILLED),
        "gatewayResponse": nullable(TEXT),
        "gatewayResponseCode": nullable(TEXT),
        "gatewayState": FILLED,
        "referenceId": nullable(TEXT),
        "softDescriptor": nullable(TEXT),
        "softDescriptorPhone": nullable(TEXT),
        **dict.fromkeys(("createdById", "createdDate", "updatedById", "updatedDate"), FILLED),
    }


def _payment() -> Schema:
    amounts = ("appliedAmount", "unappliedAmount", "refundAmount", "creditBalanceAmount")
    return closed(
        _transaction()
        | dict.fromkeys(amounts, NUMBER)
        | {
            "accountNumber": nullable(FILLED),
            "currency": CURRENCY,
            "effectiveDate": DATE,
            "secondPaymentReferenceId": nullable(TEXT),
        }
    )


def _refund() -> Schema:
    return closed(
        _transaction()
        | {
            "methodType": nullable(one_of(METHOD_TYPES)),
            "paymentId": _HEX_32,
            "paymentNumber": FILLED,
            "refundDate": DATE,
            "secondRefundReferenceId": nullable(TEXT),
        }
    )


def _list_of(name: str, entry: Schema) -> Schema:
    """Return the schema of a page; its entries are as they are read alone, but without `success`."""
    members = {member: schema for member, schema in entry["properties"].items() if member != "success"}
    page = {name: items(closed(members)), "nextPage": FILLED, "success": {"const": True}}
    return closed(page, optional=("nextPage",))
