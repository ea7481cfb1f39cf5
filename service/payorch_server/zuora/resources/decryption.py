"""POST /v1/payment-methods/decryption.

{"integrationType": "ApplePay", "merchantID": "merchant...", "paymentToken": {...}, "accountID": "...",
 "cardHolderInfo": {...}, "processPayment": true, "invoiceId": "INV1", "paymentGateway": "<instance name>",
 "mitProfileAction": "Activate", "mitProfileType": "Recurring", "mitConsentAgreementSrc": "External"}
-> 200 {"success": true, "paymentMethodId": "...", "paymentId": "...", "amount": "12.34"}

Source: Zuora, "Create an Apple Pay payment method" (read 2026-11-20). Note the capitals of accountID and merchantID.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.errors import Violation, invalid
from payorch_server.model.route import ZUORA_DEFAULT, Route
from payorch_server.model.secret import Secret
from payorch_server.zuora.errors import incomplete_answer, promised_text
from payorch_server.zuora.messages import Call, text_of
from payorch_server.zuora.settings import TenantSettings


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A stored-credential profile, in Zuora's words."""

    action: str
    type: str
    consent_agreement_source: str


@dataclass(frozen=True, slots=True)
class DecryptionRequest:
    """An Apple Pay token, and what is to be made of it."""

    payment_data: Secret[msgspec.Raw]
    """The paymentData object, verbatim."""
    merchant_id: str
    account_id: str = ""
    """Empty: a method without an account."""
    card_holder: Mapping[str, Secret[str]] = field(default_factory=dict)
    """By Zuora's member names."""
    stored_credential: StoredCredential | None = None
    """None: Zuora's default."""
    invoice: str = ""
    """Id or number of the invoice to pay; empty: no payment."""


@dataclass(frozen=True, slots=True)
class DecryptionResult:
    """What was created and paid."""

    payment_method_id: str
    payment_id: str
    """Empty when none was requested."""
    amount: str
    """Decimal text without a currency; empty when not reported."""


def build(request: DecryptionRequest, *, route: Route, tenant: TenantSettings) -> Call:
    """Return the call.

    Raises:
        InvalidRequestError: The route leaves the gateway to Zuora, which this operation does not allow for a payment.
    """
    body: dict[str, Any] = {
        "integrationType": "ApplePay",
        "merchantID": request.merchant_id,
        "paymentToken": request.payment_data,
        "processPayment": bool(request.invoice),
    }
    if request.account_id:
        body["accountID"] = request.account_id
    if request.card_holder:
        body["cardHolderInfo"] = dict(request.card_holder)
    if request.stored_credential:
        body["mitProfileAction"] = request.stored_credential.action
        body["mitProfileType"] = request.stored_credential.type
        body["mitConsentAgreementSrc"] = request.stored_credential.consent_agreement_source
    if request.invoice:
        body["invoiceId"] = request.invoice
        if violation := problem_with_gateway(route):
            raise invalid(violation)
    if route.gateway.label:
        body["paymentGateway"] = route.gateway.label
    return Call("decryption", tenant.paths.decryption, body)


def problem_with_gateway(route: Route) -> Violation | None:
    """Return what keeps the route from taking a payment: this operation does not let Zuora choose the gateway."""
    if route.gateway.name != ZUORA_DEFAULT:
        return None
    description = (
        f"a payment needs a named gateway, and rule {route.rule} leaves the choice to Zuora; "
        "omit the payment, or name a gateway in the rule"
    )
    return Violation("pay_invoice", "route.gateway", description)


def parse(reply: ZuoraReply, *, pays: bool) -> DecryptionResult:
    """Return the result; an amount is not promised by the page.

    Args:
        reply: A success.
        pays: Whether a payment was requested.

    Raises:
        CallError: The answer has no payment method id, or no payment id though it pays; UNKNOWN.
    """
    method_id = promised_text(reply, "paymentMethodId", name="a payment method id")
    payment_id = text_of(reply.payload.get("paymentId"))
    if pays and not payment_id:
        raise incomplete_answer("a payment id", reply.facts, reply.payload)
    return DecryptionResult(method_id, payment_id, text_of(reply.payload.get("amount")))
