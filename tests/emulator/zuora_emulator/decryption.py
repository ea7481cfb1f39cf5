"""POST /v1/payment-methods/decryption.

    {"integrationType": "ApplePay", "merchantID": "...", "paymentToken": {...}, "processPayment": true,
     "accountID": "...", "invoiceId": "INV00000001", "paymentGateway": "<label name>"}
    200  {"paymentMethodId": "...", "paymentId": "...", "amount": "12.34", "success": true}

Source: Zuora v1 API reference, "Create an Apple Pay payment method", read 2026-11.
"""

from dataclasses import dataclass
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.apple_tokens import AppleCharge, TokenOpener, open_apple_token, use_up
from zuora_emulator.call import Call
from zuora_emulator.errors import Reason, Refused
from zuora_emulator.fields import Fields
from zuora_emulator.payments import pay, payable_invoice
from zuora_emulator.state import Account, Gateway, Invoice, PaymentMethod, StoredCredential

HOLDER_LENGTHS = {
    "addressLine1": 255,
    "addressLine2": 255,
    "cardHolderName": 50,
    "city": 40,
    "country": 64,
    "email": 80,
    "phone": 40,
    "state": 50,
    "zipCode": 20,
}
LONGEST_GATEWAY_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request whose fields are well-formed and whose references exist."""

    merchant_id: str
    token: dict[str, Any]
    account: Account | None
    gateway: Gateway | None
    invoice_key: str | None
    """None unless a payment is wanted."""
    mit_action: str
    mit_type: str


def decrypt(call: Call, opener: TokenOpener) -> Answer:
    """Decrypt the token, create the payment method and its stored credential, and pay the invoice if asked.

    Raises:
        Refused: nothing was created; or the method was created and its payment declined, with `existing` set.
    """
    request = _read(call)
    charge = open_apple_token(call, opener, merchant_id=request.merchant_id, token=request.token)
    invoice = _payable(call, request, charge)
    # From here on things exist: no refusal without saying so.
    use_up(call, charge)
    method = _create_method(call, request, charge)
    if invoice is None or request.account is None:
        _record(call, method, {})
        return json_answer(200, {"paymentMethodId": method.id, "success": True})
    return _charged(call, request, request.account, method=method, invoice=invoice, charge=charge)


def _charged(
    call: Call, request: _Request, payer: Account, *, method: PaymentMethod, invoice: Invoice, charge: AppleCharge
) -> Answer:
    if call.decline:
        _record(call, method, {})
        words = call.decline.replace("_", " ").title()
        reason = Reason(category=60, message=f"The payment was declined by the gateway: {words}")
        raise Refused((reason,), existing={"paymentMethodId": method.id})
    payment = pay(call, account=payer, invoice=invoice, charge=charge)
    payment.record.method_id, payment.record.gateway_id = method.id, request.gateway.id if request.gateway else ""
    _record(call, method, {"payment_id": payment.id, "invoice": invoice.number}, charge)
    body = {"paymentMethodId": method.id, "paymentId": payment.id, "amount": str(payment.amount), "success": True}
    return json_answer(200, body)


def _read(call: Call) -> _Request:
    fields = Fields(call.body)
    fields.text("integrationType", required=True, allowed=("ApplePay",))
    merchant_id = fields.text("merchantID", required=True)
    token = fields.mapping("paymentToken", required=True)
    processes = fields.flag("processPayment")
    invoice_key = fields.text("invoiceId", required=processes)
    account = _account(call, fields, required=processes)
    gateway = _gateway(call, fields, required=processes)
    _check_holder(call, fields)
    mit_action, mit_type = _mit(fields)
    fields.finish()
    return _Request(
        merchant_id=merchant_id or "",
        token=dict(token or {}),
        account=account,
        gateway=gateway or _default_gateway(call, account),
        invoice_key=invoice_key if processes else None,
        mit_action=mit_action,
        mit_type=mit_type,
    )


def _account(call: Call, fields: Fields, *, required: bool) -> Account | None:
    key = fields.text("accountID")
    account = None if key is None else call.account(key)
    if key is not None and account is None:
        fields.refuse(40, "Cannot find an account with this accountID", "accountID")
    elif key is None and required:
        # An invoice can be paid only with a payment method of its account; an orphan has none.
        fields.refuse(22, "Missing required value: accountID", "accountID")
    return account


def _gateway(call: Call, fields: Fields, *, required: bool) -> Gateway | None:
    key = fields.text("paymentGateway", required=required, longest=LONGEST_GATEWAY_NAME)
    if key is None:
        return None
    by = call.settings.gateway_reference
    gateway = call.state.gateway(key, tenant=call.client.tenant, entity=call.entity, by=by)
    if gateway is None:
        fields.refuse(40, "Cannot find a payment gateway with this name", "paymentGateway")
    return gateway


def _default_gateway(call: Call, account: Account | None) -> Gateway | None:
    return None if account is None else call.state.gateways.get(account.gateway_id)


def _check_holder(call: Call, fields: Fields) -> None:
    holder = fields.mapping("cardHolderInfo")
    if holder is None:
        return
    inner = Fields(holder, path="cardHolderInfo.")
    for name, longest in HOLDER_LENGTHS.items():
        required = name == "cardHolderName" and call.settings.require_card_holder_name
        inner.text(name, longest=longest, required=required)
    fields.adopt(inner)


def _mit(fields: Fields) -> tuple[str, str]:
    chosen = "mitProfileAction" in fields
    action = fields.text("mitProfileAction", allowed=("Activate", "Persist"))
    fields.text("mitConsentAgreementSrc", required=chosen, allowed=("External",))
    kind = fields.text("mitProfileType", required=chosen, allowed=("Recurring", "Unscheduled"))
    return action or "Activate", kind or "Recurring"


def _payable(call: Call, request: _Request, charge: AppleCharge) -> Invoice | None:
    if request.invoice_key is None or request.account is None:
        return None
    return payable_invoice(call, key=request.invoice_key, account=request.account, charge=charge)


def _create_method(call: Call, request: _Request, charge: AppleCharge) -> PaymentMethod:
    method = PaymentMethod(
        id=call.ids.object_id(),
        tenant=call.client.tenant,
        entity=call.entity,
        account_id=request.account.id if request.account else None,
        type="CreditCard",
        is_default=False,
        stored_credential=_stored_credential(call, request),
        created_at=call.arrived.now,
        last_digits=charge.last_digits,
    )
    call.state.add_method(method)
    return method


def _stored_credential(call: Call, request: _Request) -> StoredCredential | None:
    if request.mit_action == "Persist":
        return StoredCredential(status="Active", type=request.mit_type, consent_source="External")
    if call.decline:  # the cardholder-initiated transaction failed: no profile
        return None
    supported = request.gateway is not None and request.gateway.stored_credentials
    return StoredCredential(
        status="Active" if supported else "Agreed", type=request.mit_type, consent_source="External"
    )


def _record(
    call: Call, method: PaymentMethod, payment_effects: dict[str, str], charge: AppleCharge | None = None
) -> None:
    profile = method.stored_credential
    call.record(
        account=method.account_id,
        amount=charge.amount if charge else None,
        currency=charge.currency.code if charge else None,
        effects={
            "payment_method_id": method.id,
            "stored_credential": f"{profile.status} {profile.type}" if profile else "none",
            **payment_effects,
        },
    )
