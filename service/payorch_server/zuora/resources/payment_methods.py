"""POST /v2/payment_methods, and which operation creates which kind of method.

{"type": "sepa_debit", "account_id": "...", "gateway_id": "...", "sepa_debit": {"IBAN": "...", "mandate": {...}}, ...}
-> 201 {"id": "...", "type": "sepa_debit", "state": "active", ...}

Unknown members are refused by Zuora (additionalProperties false), so a body holds exactly what the page lists.
Source: Zuora, Quickstart API, "Create a payment method" (read 2026-11-20).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.zuora.errors import promised_text
from payorch_server.zuora.messages import Call
from payorch_server.zuora.resources._payment_method_view import view_of
from payorch_server.zuora.settings import TenantSettings

Value = str | int | bool | Decimal | None | msgspec.Raw | Secret[Any]

CREATED_BY_V2: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "card": ("card", {"number": "card_number", "card_mandate": "mandate"}),
    "card_reference": ("cc_ref", {"card_details": "card"}),
    "apple_pay": ("apple_pay", {"token_json": "customer_token", "merchant_id": "id"}),
    "ach_debit": ("ach_debit", {}),
    "sepa_debit": ("sepa_debit", {"iban": "IBAN"}),
    "bacs_debit": ("bacs_debit", {}),
    "au_becs_debit": ("au_becs_debit", {}),
    "nz_becs_debit": ("nz_becs_debit", {}),
    "pad_debit": ("pad_debit", {}),
    "betalings_debit": ("betalings_debit", {}),
    "autogiro_debit": ("autogiro_debit", {}),
    "paypal_express": ("paypal_express", {}),
    "paypal_express_native": ("paypal_express_native", {}),
    "paypal_adaptive": ("paypal_adaptive", {}),
}
"""Our name of a kind to Zuora's type, which also names its object, and to the members that are named otherwise."""

CREATED_BY_V1: Final[Mapping[str, str]] = {
    "adyen_google_pay": "AdyenGooglePay",
    "adyen_apple_pay": "AdyenApplePay",
    "chase_google_pay": "GooglePay",
    "paypal_complete_payments": "PayPalCP",
    "custom": "",
}
"""Our name of a kind to v1's type; a custom method brings its own."""

REFUSED: Final[Mapping[str, str]] = {
    "google_pay": "Zuora documents an object google_pay and no such type; use chase_google_pay or adyen_google_pay",
    "other": "Zuora documents the type without any field",
    "paypal": "Zuora documents the type without any field; use another PayPal type",
}
"""Our name of a kind to why it cannot be created."""

_ALWAYS_RETURNED: Final = ("id", "type", "state")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parts Zuora should return; empty: all."""

    payment_method_fields: tuple[str, ...] = ()
    account_fields: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    page_size: int | None = None


@dataclass(frozen=True, slots=True)
class PaymentMethodRequest:
    """A payment method to create.

    The members of a kind travel as a mapping by our field names, because 22 kinds differ in nothing but their members;
    the tables above and a test over the protos take the place of 22 classes.
    """

    kind: str
    """Our name of the kind, such as `sepa_debit`."""
    members: Mapping[str, Any] = field(repr=False)
    """Values by our field names; nested objects are mappings. Only what was set."""
    account_id: str = ""
    account_number: str = ""
    """At most one of the two."""
    is_default: bool | None = None
    billing_details: Mapping[str, Any] | None = None
    """By Zuora's member names; None: not sent."""
    custom_fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    gateway_options: Mapping[str, Secret[str]] = field(default_factory=dict, repr=False)
    """These two by names that the caller chose, which may be sensitive too."""
    maximum_payment_attempts: int | None = None
    payment_retry_interval_hours: int | None = None
    device_session_id: Secret[str] | None = None
    ip_address: Secret[str | None] | None = None
    """None: not sent; a secret None: JSON null."""
    bank_identification_number: Secret[str] | None = None
    currency_code: str = ""
    selection: Selection = Selection()


@dataclass(frozen=True, slots=True)
class CreatedPaymentMethod:
    """A payment method as Zuora returned it."""

    id: str
    view: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Values by name; nested objects are mappings. Holds personal data. The names are part of what the store holds:
    `rpc/encode.py` says which fields of payorch.v1.PaymentMethod are named otherwise."""


def build(request: PaymentMethodRequest, *, route: Route, tenant: TenantSettings) -> Call:
    """Return the call; the kind is one of CREATED_BY_V2."""
    zuora_type, renamed = CREATED_BY_V2[request.kind]
    body: dict[str, Any] = {"type": zuora_type, zuora_type: _object(request, renamed)}
    optional: dict[str, Any] = {
        "account_id": request.account_id or None,
        "account_number": request.account_number or None,
        "is_default": request.is_default,
        "gateway_id": route.gateway.id or None,
        "gateway_options": dict(request.gateway_options) or None,
        "billing_details": request.billing_details,
        "custom_fields": dict(request.custom_fields) or None,
        "maximum_payment_attempts": request.maximum_payment_attempts,
        "payment_retry_interval": request.payment_retry_interval_hours,
        "device_session_id": request.device_session_id,
        "ip_address": request.ip_address,
        "bank_identification_number": request.bank_identification_number,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    return Call("payment_methods", tenant.paths.payment_methods, body, _query(request.selection))


def _object(request: PaymentMethodRequest, renamed: Mapping[str, str]) -> dict[str, Any]:
    members = {renamed.get(name, name): value for name, value in request.members.items()}
    if request.kind == "apple_pay":
        charge = members.pop("pay_invoice", None)
        members.pop("no_charge", None)
        members["collect_payment"] = charge is not None
        if charge is not None:
            members["invoice_id"] = charge["invoice"]
    return members


def _query(selection: Selection) -> tuple[tuple[str, str], ...]:
    query: list[tuple[str, str]] = []
    if selection.payment_method_fields:
        wanted = dict.fromkeys((*_ALWAYS_RETURNED, *selection.payment_method_fields))
        query.append(("fields[]", ",".join(wanted)))
    if selection.account_fields:
        query.append(("account.fields[]", ",".join(selection.account_fields)))
    query += (("expand[]", name) for name in selection.expand)
    query += (("filter[]", text) for text in selection.filters)
    if selection.page_size is not None:
        query.append(("page_size", str(selection.page_size)))
    return tuple(query)


def parse(reply: ZuoraReply) -> CreatedPaymentMethod:
    """Return the created method.

    Raises:
        CallError: The answer has no id; UNKNOWN.
    """
    method_id = promised_text(reply, "id", name="a payment method id")
    return CreatedPaymentMethod(method_id, view_of(reply.payload))
