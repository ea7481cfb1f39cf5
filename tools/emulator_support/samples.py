"""The requests by which the emulator is asked what it does with their fields: values, and what has to exist before."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from zuora_emulator import seed
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT, minted_token
from zuora_emulator.clock import USUAL_START
from zuora_emulator.currency import BY_CODE

ABSENT: Final = object()
ENTITY: Final = seed.ENTITY_US
KEY: Final = "{key}"
"""Stands for the id of what the step before has made."""
_TOKEN, _OTHER_TOKEN = (
    minted_token(
        merchant_id=PUBLISHED_MERCHANT,
        amount_minor=4250,
        currency_numeric=BY_CODE["USD"].numeric,
        now=USUAL_START,
        entropy=random.Random(number).randbytes,  # noqa: S311 - a test token
    )
    for number in (1, 2)
)
_OTHER_ACCOUNT: Final = seed.ACCOUNT_US_SOUTH
_ACCOUNT: Final = {"account_id": seed.ACCOUNT_US.id}
CUSTOM: Final = {
    "type": seed.AMAZON_PAY.full_name,
    "accountKey": seed.ACCOUNT_US.number,
    "amazonAccount": "account",
    "amazonToken": "token",
}
MORE: Final[Mapping[str, Mapping[str, Any]]] = {"apple_pay": _ACCOUNT}
"""What a body has beside the fields that are looked at, by type of payment method."""
_PURPOSES: Final = {"processPayment true": {"processPayment": True}, "processPayment false": {"processPayment": False}}
_BY_NUMBER: Final = [{"invoiceNumber": seed.INVOICE_US_SECOND.number, "amount": 10}]
VARIANTS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "sessions": _PURPOSES,
    "decryption": _PURPOSES,
    "create_payment": {
        "Electronic": {"type": "Electronic"},
        "External": {"type": "External", "invoices": _BY_NUMBER},
    },
    "refund_payment": {"Electronic": {"type": "Electronic"}, "External": {"type": "External"}},
}
"""By operation: what its requests are for, and which fields make them so."""
_ORPHAN: Final = ("/v2/payment_methods", {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}})
_METHOD: Final = (_ORPHAN[0], _ORPHAN[1] | _ACCOUNT)
_CUSTOM_METHOD: Final = ("/v1/payment-methods", CUSTOM | {"skipValidation": True})
_SESSION: Final = {"currency": "USD", "amount": 42.5, "processPayment": True, "accountId": seed.ACCOUNT_US.id}
_PAYMENT: Final = {
    "type": "Electronic",
    "accountId": seed.ACCOUNT_US.id,
    "amount": 42.5,
    "currency": "USD",
    "paymentMethodId": KEY,
}
_CHECK: Final = (
    "/v1/payments",
    {"type": "External", "accountId": seed.ACCOUNT_US.id, "paymentMethodType": "Check", "amount": 5, "currency": "USD"},
)
_BACK: Final = ("/v1/payments/{key}/refunds", {"type": "External", "methodType": "Check", "totalAmount": 1})

BEFORE: Final[Mapping[str, Sequence[tuple[str, Any]]]] = {
    "redeem_session": [("/web-payments/sessions", _SESSION)],
    "get_payment_method": [_METHOD],
    "list_payment_methods": [_METHOD, _ORPHAN],
    "update_payment_method": [_ORPHAN],
    "get_payment_method_v1": [_METHOD],
    "update_payment_method_v1": [_ORPHAN],
    "create_payment": [_CUSTOM_METHOD],
    "list_payments": [_CHECK, _BACK, _CHECK],
    "list_refunds": [_CHECK, _BACK, _CHECK, _BACK],
    "get_payment": [_CUSTOM_METHOD, ("/v1/payments", _PAYMENT)],
    "refund_payment": [_CUSTOM_METHOD, ("/v1/payments", _PAYMENT)],
    "get_refund": [
        _CUSTOM_METHOD,
        ("/v1/payments", _PAYMENT),
        ("/v1/payments/{key}/refunds", {"type": "Electronic", "totalAmount": 1}),
    ],
}
"""What has to exist: paths and bodies."""

_VALUES: Final[Mapping[str, Sequence[Any]]] = {
    # The first is sent; the others are what it is compared with.
    "token client_id": [seed.CLIENT_A.client_id, seed.CLIENT_B.client_id],
    "token client_secret": [seed.CLIENT_A.client_secret, "another"],
    "sessions amount": [42.5, 100],
    "sessions authAmount": [1, 2],
    "sessions invoices[].invoiceNumber": [seed.INVOICE_US_SECOND.number, seed.INVOICE_US.number],
    "sessions paymentGateway": [seed.GATEWAY_US.id, seed.GATEWAY_US_PLAIN.id],
    "accountId": [seed.ACCOUNT_US.id, _OTHER_ACCOUNT.id],
    "accountID": [seed.ACCOUNT_US.id, _OTHER_ACCOUNT.id],
    "accountKey": [seed.ACCOUNT_US.id, _OTHER_ACCOUNT.id],
    "account_id": [seed.ACCOUNT_US.id, _OTHER_ACCOUNT.id],
    "account_number": [seed.ACCOUNT_US.number, _OTHER_ACCOUNT.number],
    "accountNumber": [seed.ACCOUNT_US.number, _OTHER_ACCOUNT.number],
    "authGateway": [seed.UPC_GATEWAY_ID, seed.GATEWAY_US.id],
    "gateway_id": [seed.GATEWAY_US.id, seed.GATEWAY_US_PLAIN.id],
    "gatewayId": [seed.UPC_GATEWAY_ID, seed.GATEWAY_US.id],
    "paymentGateway": [seed.GATEWAY_US_PLAIN.name, seed.GATEWAY_US.name],
    "paymentMethodId": [KEY, "0" * 32],
    "currency": ["USD", "EUR"],
    "currencyCode": ["USD", "EUR"],
    "amount": [42.5, 10],
    "totalAmount": [2, 3],
    "invoiceId": [seed.INVOICE_US_SECOND.number, seed.INVOICE_US.number],
    "invoice_id": [seed.INVOICE_US_SECOND.number, seed.INVOICE_US.number],
    "create_payment invoices[].invoiceId": [seed.INVOICE_US_SECOND.id, seed.INVOICE_US.id],
    "create_payment invoices[].invoiceNumber": [seed.INVOICE_US_SECOND.number, seed.INVOICE_US.number],
    "processPayment": [True, False],
    "storePaymentMethod": [True, False],
    "collect_payment": [True, False],
    "skipValidation": [False, True],
    "merchantID": [PUBLISHED_MERCHANT, "merchant.example.other"],
    "apple_pay.id": [PUBLISHED_MERCHANT, "merchant.example.other"],
    **{f"paymentToken.{name}": [value, _OTHER_TOKEN[name]] for name, value in _TOKEN.items()},
    "apple_pay.customer_token": [_TOKEN, _OTHER_TOKEN],
    "processingOptions": [{"checkDuplicated": True}, {"checkDuplicated": False}],
    "card_number": ["4111111111111111", "4012888888881881"],
    "cardNumber": ["4111111111111111", "4012888888881881"],
    "IBAN": ["DE89370400440532013000", "FR1420041010050500013M02606"],
    "applePaymentData": ["{}", '{"a": 1}'],
    "googlePaymentToken": ["{}", '{"a": 1}'],
    "expirationMonth": [12, 11],
    "expirationYear": [2039, 2040],
    "ip_address": ["192.0.2.1", "192.0.2.2"],
    # Headers and the query, which are compared with their absence.
    "Zuora-Track-Id": ["order-1", "order-2"],
    "Zuora-Entity-Ids": [seed.ENTITY_EU],
    "Zuora-Org-Ids": [seed.ORG_NORTH, seed.ORG_SOUTH],
    "Idempotency-Key": ["key-1"],
    "async": ["true"],
    "fields[]": ["id", "type"],
    "payment_method.fields[]": ["id", "type"],
    "account.fields[]": ["id", "name"],
    "expand[]": ["account", "invoices"],
    "filter[]": ["type.EQ:card", "state.EQ:closed"],
    "sort[]": ["created_time.asc", "type.asc"],
    "sort": ["-number"],
    "page": [2],
    "page_size": [1, 2],
    "pageSize": [1],
    "cursor": ["eHg="],
}
"""By operation and path, by path, by the last two names of the path, or by the last; all else follows the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A request that succeeds, and what comes before it."""

    operation: str
    method: str
    path: str
    case: str = ""
    """Of which type its payment method is."""
    body: Any = None
    form: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    also_refused: bool = False
    """Whether a request that is refused follows, and headers of answers count."""

    @property
    def before(self) -> Sequence[tuple[str, Any]]:
        """Requests before it; the id of each one's answer is the key of the next."""
        return BEFORE.get(self.operation, ())


def values_of(operation: str, path: Sequence[str | int], schema: Mapping[str, Any]) -> Sequence[Any]:
    """Return a value for a field and others to compare it with; none for an object or array with known fields."""
    names = ".".join("" if step == 0 else str(step) for step in path).replace("..", "[].")
    for key in (f"{operation} {names}", names, ".".join(names.split(".")[-2:]), names.rpartition(".")[2]):
        if key in _VALUES:
            return _VALUES[key]
    if "x-values" in schema:
        return list(schema["x-values"])
    if "enum" in schema:
        return list(schema["enum"])
    usual: Mapping[str, Sequence[Any]] = {
        "boolean": [True, False], "integer": [3, 4], "number": [3, 4], "string": ["2026-11-20", "2026-11-21"],
    }  # fmt: skip
    kinds = schema.get("type", "number")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object" and not schema.get("properties"):
        return [{"key": "value"}, {"key": "another"}]
    return usual.get(kind, ())
