"""Zuora's payment method, read tolerantly: what is missing, null or of another type than documented is left out."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from payorch_server.zuora.messages import JsonObject, text_of, whole_number

_INT32_MAX: Final = 2**31 - 1
_JSON: Final = msgspec.json.Encoder(decimal_format="number")


def _integer(value: object) -> int | None:
    number = whole_number(value)
    return number if number is not None and 0 <= number <= _INT32_MAX else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return text_of(value) or None


def _word(value: object) -> str | None:
    """Return a text, or a flag as JSON writes it: the schema says boolean of what older answers have as a word."""
    return ("true" if value else "false") if isinstance(value, bool) else _text(value)


def _json(value: object) -> str | None:
    return _JSON.encode(value).decode() if isinstance(value, dict) else None


Reader = Callable[[object], Any]
Fields = Mapping[str, tuple[str, Reader]]

_METHOD: Final[Fields] = {
    "id": ("id", _text),
    "type": ("type", _text),
    "custom_type": ("custom_type", _text),
    "state": ("state", _text),
    "account_id": ("account_id", _text),
    "created_by_id": ("created_by_id", _text),
    "created_time": ("created_time", _text),
    "updated_by_id": ("updated_by_id", _text),
    "updated_time": ("updated_time", _text),
    "billing_details": ("billing_details_json", _json),
    "custom_fields": ("custom_fields_json", _json),
    "maximum_payment_attempts": ("maximum_payment_attempts", _integer),
    "payment_retry_interval": ("payment_retry_interval_hours", _integer),
    "device_session_id": ("device_session_id", _text),
    "ip_address": ("ip_address", _text),
    "bank_identification_number": ("bank_identification_number", _text),
    "auto_generated": ("auto_generated", _flag),
    "use_default_retry_rule": ("use_default_retry_rule", _flag),
    "existing_mandate": ("existing_mandate", _word),
    "last_failed_sale_transaction_time": ("last_failed_sale_transaction_time", _text),
    "last_transaction_time": ("last_transaction_time", _text),
    "last_transaction_status": ("last_transaction_status", _text),
    "number_of_consecutive_failures": ("number_of_consecutive_failures", _integer),
    "total_number_of_processed_payments": ("total_number_of_processed_payments", _integer),
    "total_number_of_error_payments": ("total_number_of_error_payments", _integer),
    "account": ("account_json", _json),
}
_CARD: Final[Fields] = {
    "brand": ("brand", _text),
    "expiry_month": ("expiry_month", _integer),
    "expiry_year": ("expiry_year", _integer),
    "last_4": ("last_4", _text),
}
_MANDATE: Final[Fields] = {
    "id": ("id", _text),
    "reason": ("reason", _text),
    "state": ("state", _text),
    "network_transaction_id": ("network_transaction_id", _text),
    "type": ("type", _text),
    "verified": ("verified", _flag),
}
_ACCEPTANCE: Final[Fields] = {"id": ("customer_acceptance_id", _text), "date": ("customer_acceptance_date", _text)}
_BANK_ACCOUNT: Final[Fields] = {
    "account_number": ("account_number", _text),
    "bank_account_number": ("account_number", _text),
    "bank_account_name": ("account_name", _text),
    "bank_account_type": ("account_type", _text),
    "bank_name": ("bank_name", _text),
    "bank_code": ("bank_code", _text),
    "bank_aba_code": ("bank_code", _text),
    "branch_code": ("branch_code", _text),
    "IBAN": ("iban", _text),
    "business_identification_code": ("business_identification_code", _text),
    "identity_number": ("identity_number", _text),
}
_PAYPAL: Final[Fields] = {
    "baid": ("baid", _text),
    "email": ("email", _text),
    "preapproval_key": ("preapproval_key", _text),
}
_TOKENS: Final[Fields] = {
    "token": ("token", _text),
    "second_token": ("second_token", _text),
    "payment_id": ("payment_id", _text),
}


def view_of(payload: JsonObject) -> dict[str, Any]:
    """Return the values of a Quickstart payment method by the names of `CreatedPaymentMethod.view`."""
    view = _read(payload, _METHOD)
    kind = payload.get("type")
    own = payload.get(kind) if isinstance(kind, str) else None
    if not isinstance(own, Mapping):
        return view
    nested = own.get("card")
    parts = {
        "card": _read(own if kind == "card" else nested, _CARD),
        # Wallets carry it in the card.
        "mandate": _mandate(own.get("mandate")) or _mandate(_member(nested, "mandate")),
        "bank_account": _read(own, _BANK_ACCOUNT) if str(kind).endswith("_debit") else {},
        "paypal": _read(own, _PAYPAL) if str(kind).startswith("paypal") else {},
    }
    return view | {name: part for name, part in parts.items() if part} | _read(own, _TOKENS)


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None


def _mandate(value: object) -> dict[str, Any]:
    return _read(value, _MANDATE) | _read(_member(value, "customer_acceptance"), _ACCEPTANCE)


def _read(value: object, fields: Fields) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    found = ((ours, read(value.get(zuora))) for zuora, (ours, read) in fields.items())
    return {ours: value for ours, value in found if value is not None}
