"""The request schema of Quickstart's POST /v2/payment_methods, as data; no object takes a field it does not name.

Source: Quickstart API reference, "Create a payment method", read 2026-11.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["string", "number", "integer", "boolean", "object", "nullable string", "string map", "any map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a request."""

    kind: Kind = "string"
    required: bool = False
    secret: bool = False
    """Never in an answer."""
    masked: bool = False
    """In an answer with its last four characters only."""
    allowed: tuple[str, ...] = ()
    fields: Mapping[str, "Field"] = field(default_factory=dict)


_TEXT = Field()
_NEEDED = Field(required=True)
_NUMBER_OF_ACCOUNT = Field(required=True, masked=True)
_BRANDS = ("visa", "mastercard", "american_express", "discover", "jcb", "diners")
_MANDATE = Field(kind="object", fields={"id": _TEXT, "reason": _TEXT})
_CARD_MANDATE = Field(
    kind="object", fields={"id": _TEXT, "reason": _TEXT, "verify": Field(kind="boolean", secret=True)}
)

CARD = {
    "card_number": Field(required=True, secret=True),
    "brand": Field(required=True, allowed=_BRANDS),
    "expiry_month": Field(kind="number", required=True),
    "expiry_year": Field(kind="number", required=True),
    "security_code": Field(secret=True),
    "mandate": _CARD_MANDATE,
}
_CARD_OF_REFERENCE = {
    "brand": Field(allowed=_BRANDS),
    "expiry_month": Field(kind="number"),
    "expiry_year": Field(kind="number"),
}

OBJECTS: Mapping[str, Mapping[str, Field]] = {
    "card": CARD,
    "cc_ref": {
        "token": Field(required=True, masked=True),
        "second_token": Field(masked=True),
        "mandate": _MANDATE,
        "card": Field(kind="object", fields=_CARD_OF_REFERENCE),
    },
    "apple_pay": {
        "customer_token": Field(kind="any map", required=True, secret=True),
        "id": Field(secret=True),
        "collect_payment": Field(kind="boolean", secret=True),
        "invoice_id": Field(secret=True),
        "mandate": _MANDATE,
    },
    "google_pay": {"customer_token": Field(kind="any map", required=True, secret=True)},
    "ach_debit": {
        "bank_aba_code": _NEEDED,
        "bank_account_name": _NEEDED,
        "bank_account_type": Field(
            required=True, allowed=("business_saving", "business_checking", "checking", "saving")
        ),
        "bank_name": _NEEDED,
        "bank_account_number": _NUMBER_OF_ACCOUNT,
        "mandate": _MANDATE,
    },
    "sepa_debit": {"IBAN": _NUMBER_OF_ACCOUNT, "business_identification_code": _TEXT, "mandate": _MANDATE},
    "bacs_debit": {"account_number": _NUMBER_OF_ACCOUNT, "bank_code": _NEEDED, "mandate": _MANDATE},
    "au_becs_debit": {"account_number": _NUMBER_OF_ACCOUNT, "branch_code": _NEEDED, "mandate": _MANDATE},
    "nz_becs_debit": {
        "account_number": _NUMBER_OF_ACCOUNT,
        "branch_code": _NEEDED,
        "bank_code": _NEEDED,
        "mandate": _MANDATE,
    },
    "pad_debit": {
        "account_number": _NUMBER_OF_ACCOUNT,
        "branch_code": _NEEDED,
        "bank_code": _NEEDED,
        "mandate": _MANDATE,
    },
    "betalings_debit": {
        "account_number": _NUMBER_OF_ACCOUNT,
        "identity_number": _NUMBER_OF_ACCOUNT,
        "bank_code": _NEEDED,
        "mandate": _MANDATE,
    },
    "autogiro_debit": {
        "account_number": _NUMBER_OF_ACCOUNT,
        "identity_number": _NUMBER_OF_ACCOUNT,
        "branch_code": _NEEDED,
        "mandate": _MANDATE,
    },
    "paypal_express": {"baid": _NEEDED, "email": _NEEDED},
    "paypal_express_native": {"baid": _NEEDED, "email": _TEXT},
    "paypal_adaptive": {"preapproval_key": _NEEDED, "email": _NEEDED},
}

# google_pay has an object but is no type; paypal, other and the adyen ones are types without an object.
TYPES = (*(name for name in OBJECTS if name != "google_pay"), "other", "paypal", "adyen_google_pay", "adyen_apple_pay")

_ADDRESS = dict.fromkeys(("line1", "line2", "city", "country", "state", "postal_code"), _TEXT)
_BILLING_DETAILS = {
    "name": _TEXT,
    "email": _TEXT,
    "phone": _TEXT,
    "address": Field(kind="object", fields=_ADDRESS),
}

TOP: Mapping[str, Field] = {
    "type": Field(required=True, allowed=TYPES),
    "custom_type": _TEXT,
    "account_id": _TEXT,
    "account_number": Field(secret=True),
    "is_default": Field(kind="boolean", secret=True),
    "gateway_id": Field(secret=True),
    "gateway_options": Field(kind="string map", secret=True),
    "billing_details": Field(kind="object", fields=_BILLING_DETAILS),
    "custom_fields": Field(kind="any map"),
    "maximum_payment_attempts": Field(kind="number"),
    "payment_retry_interval": Field(kind="integer"),
    "device_session_id": _TEXT,
    "ip_address": Field(kind="nullable string"),
    "bank_identification_number": _TEXT,
    **{name: Field(kind="object", fields=fields) for name, fields in OBJECTS.items()},
}
