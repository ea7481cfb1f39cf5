"""POST /web-payments/sessions.

{"currency": "USD", "amount": 100.10, "processPayment": true, "storePaymentMethod": true, "accountId": "...",
 "paymentGateway": "<instance id>", "invoices": [{"invoiceNumber": "INV1"}], "gatewayOptions": {...}}
-> 200 {"token": "<32 characters>"}

Source: Zuora, "Create a payment session", texts of 2023 and 2025 (read 2026-11-20).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.money import Amount
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.zuora.errors import promised_text
from payorch_server.zuora.messages import Call
from payorch_server.zuora.settings import TenantSettings


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What a session is for. Of the two flags at least one is set."""

    amount: Amount
    process_payment: bool
    store_payment_method: bool
    account_id: str = ""
    """Empty only when no payment is made."""
    invoice_numbers: tuple[str, ...] = ()
    gateway_options: Mapping[str, Secret[str]] = field(default_factory=dict, repr=False)
    """By names that the caller chose, which may be sensitive too."""


def build(request: SessionRequest, *, route: Route, tenant: TenantSettings) -> Call:
    """Return the call that creates the session."""
    legacy = tenant.legacy_session_amount and not request.process_payment
    body: dict[str, Any] = {
        "currency": request.amount.currency,
        "authAmount" if legacy else "amount": request.amount.value,
        "processPayment": request.process_payment,
    }
    # The older form of the page does not know this member, and its meaning is the default of the newer one.
    if not legacy:
        body["storePaymentMethod"] = request.store_payment_method
    if request.account_id:
        body["accountId"] = request.account_id
    if route.gateway.id:
        body["paymentGateway"] = route.gateway.id
    if request.invoice_numbers:
        body["invoices"] = [{"invoiceNumber": number} for number in request.invoice_numbers]
    if request.gateway_options:
        body["gatewayOptions"] = dict(request.gateway_options)
    return Call("sessions", tenant.paths.sessions, body)


def parse(reply: ZuoraReply) -> Secret[str]:
    """Return the session token.

    Raises:
        CallError: The answer has no token; UNKNOWN.
    """
    return Secret(promised_text(reply, "token", name="a session token"))
