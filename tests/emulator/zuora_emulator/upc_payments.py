"""Payments and refunds; those with custom methods ask a hub, for all others the gateway decides at once.

    POST /v1/payments                  {"type": "Electronic", "accountId": "...", "paymentMethodId": "...",
                                        "gatewayId": "...", "amount": 14.99, "currency": "USD"}
    GET  /v1/payments/{id or number}   200 {"id": "...", "number": "P-00000001", "status": "Processed", ...}
    POST /v1/payments/{key}/refunds    {"type": "Electronic", "totalAmount": 10}
    GET  /v1/refunds/{id or number}    200 {"id": "...", "number": "R-00000001", "status": "Processed", ...}

Sure, because documented: paths, members and lengths of the requests; the members of the answers, of which those that a
payment of the emulator can have are given; the statuses; that only what is not applied can be refunded. Not sure: what
the answer is when the hub declines or nothing is known. Here it is the payment or refund with its status, and
`success: true`, since it exists. Not sure either: `gatewayState` of a payment in Processing.

Source: Zuora v1 API reference, "Create a payment", "Retrieve a payment", "Refund a payment" and "Retrieve a refund",
read 2026-11.
"""

from decimal import Decimal
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Call
from zuora_emulator.currency import is_exact
from zuora_emulator.errors import refused
from zuora_emulator.fields import Fields
from zuora_emulator.state import Account, PaymentMethod
from zuora_emulator.upc import Upc
from zuora_emulator.upc_records import Transaction, UpcPayment, UpcRefund

_LONGEST = {"comment": 255, "softDescriptor": 35, "softDescriptorPhone": 20}
_MOST_INVOICES = 1_000
_GATEWAY_STATES = {"Processing": "MarkedForSubmission", "Processed": "Submitted", "Error": "NotSubmitted"}


async def create_payment(call: Call) -> Answer:
    """Create a payment, and ask the hub of a custom method; other methods are paid at once.

    Raises:
        Refused: with everything that is wrong with the request; nothing was created.
    """
    fields = Fields(call.body, text_amounts=call.settings.text_amounts == "accept")
    _electronic(fields)
    account = _account(call, fields)
    method = None if account is None else _method(call, fields, account)
    currency = _currency(fields, account)
    amount = _amount(fields, "amount", currency)
    gateway = _gateway(call, fields, account, method)
    invoices = () if account is None or amount is None else _invoices(call, fields, account, amount)
    common = _common(fields)
    fields.finish()
    assert account and method and gateway and amount is not None  # noqa: PT018 - what `finish` has made sure of
    payment = UpcPayment(
        **call.upc.new_names("P"),
        **common,
        tenant=call.client.tenant,
        entity=call.entity,
        account_id=account.id,
        method_id=method.id,
        gateway_id=gateway,
        amount=amount,
        currency=currency,
        invoices=invoices,
    )
    arrived = call.arrived
    await call.upc.pay(
        payment,
        idempotency_key=arrived.idempotency_key,
        request_id=arrived.request_id,
        decline=call.decline or "",
    )
    return json_answer(200, payment_json(call.upc, payment) | {"success": True})


def get_payment(call: Call) -> Answer:
    """Return a payment.

    Raises:
        Refused: there is none with this id or number in this entity.
    """
    return json_answer(200, payment_json(call.upc, _payment(call)) | {"success": True})


async def refund_payment(call: Call) -> Answer:
    """Create a refund of a payment and ask the hub.

    Raises:
        Refused: with everything that is wrong with the request; nothing was created.
    """
    payment = _payment(call)
    fields = Fields(call.body, text_amounts=call.settings.text_amounts == "accept")
    _electronic(fields)
    if "methodType" in fields:
        fields.refuse(20, "Invalid value: methodType must be empty for an electronic refund", "methodType")
    amount = _amount(fields, "totalAmount", payment.currency)
    if amount is not None and amount > call.upc.paid_and_unrefunded(payment):
        fields.refuse(30, "The refund exceeds the unapplied amount of the payment.", "totalAmount")
    common = _common(fields)
    fields.finish()
    refund = new_refund(call.upc, payment, amount=amount or Decimal(0), **common)
    arrived = call.arrived
    await call.upc.refund(refund, idempotency_key=arrived.idempotency_key, request_id=arrived.request_id)
    return json_answer(200, refund_json(call.upc, refund) | {"success": True})


def get_refund(call: Call) -> Answer:
    """Return a refund.

    Raises:
        Refused: there is none with this id or number in this entity.
    """
    for refund in call.state.upc_refunds.values():
        if call.arrived.key in {refund.id, refund.number} and _is_visible(call, refund):
            return json_answer(200, refund_json(call.upc, refund) | {"success": True})
    raise refused(40, "Cannot find a refund with this key.", "refundKey")


def new_refund(upc: Upc, payment: UpcPayment, *, amount: Decimal, **more: Any) -> UpcRefund:
    """Return a refund of a payment that was not asked for yet."""
    return UpcRefund(
        **upc.new_names("R"),
        **more,
        tenant=payment.tenant,
        entity=payment.entity,
        account_id=payment.account_id,
        method_id=payment.method_id,
        gateway_id=payment.gateway_id,
        amount=amount,
        currency=payment.currency,
        payment_id=payment.id,
    )


# --- reading


def _electronic(fields: Fields) -> None:
    if fields.text("type", required=True, allowed=("External", "Electronic")) == "External":
        fields.refuse(45, "External payments and refunds are not emulated.", "type")


def _account(call: Call, fields: Fields) -> Account | None:
    keys = {name: key for name in ("accountId", "accountNumber") if (key := fields.text(name)) is not None}
    if not keys:
        fields.refuse(22, "Missing required value: accountId", "accountId")
        return None
    found = {name: call.account(key) for name, key in keys.items()}
    for name, account in found.items():
        if account is None:
            fields.refuse(40, f"Cannot find an account with this {name}", name)
    accounts = {account.id: account for account in found.values() if account is not None}
    if len(accounts) > 1:
        fields.refuse(20, "Invalid value: accountId and accountNumber name two accounts", "accountId")
    return next(iter(accounts.values()), None)


def _method(call: Call, fields: Fields, account: Account) -> PaymentMethod | None:
    key = fields.text("paymentMethodId")
    methods = [method for method in call.state.payment_methods.values() if method.account_id == account.id]
    if key is None:
        method = next((method for method in reversed(methods) if method.is_default), None)
    else:
        method = next((method for method in methods if method.id == key), None)
    if method is None:
        fields.refuse(40, "Cannot find a payment method of this account with this paymentMethodId", "paymentMethodId")
    return method


def _gateway(call: Call, fields: Fields, account: Account | None, method: PaymentMethod | None) -> str:
    """Return the id of the gateway: for a custom method one that asks a hub, for others any that the entity has."""
    key, tenant, entity = fields.text("gatewayId"), call.client.tenant, call.entity
    if method is not None and call.upc.type_of(method.type) is None:
        plain = call.state.gateway(key or (account.gateway_id if account else ""), tenant=tenant, entity=entity)
        if plain is None:
            fields.refuse(40, "Cannot find a payment gateway with this gatewayId", "gatewayId")
        return plain.id if plain else ""
    hub = call.upc.gateway_for(key, account=account, tenant=tenant, entity=entity)
    if hub is None:
        fields.refuse(40, "Cannot find a gateway for custom payment methods with this gatewayId", "gatewayId")
    return hub.id if hub else ""


def _currency(fields: Fields, account: Account | None) -> str:
    currency = fields.text("currency", required=True)
    if account is not None and currency is not None and currency != account.currency:
        fields.refuse(20, "Invalid value: currency must be the currency of the account", "currency")
    return currency or ""


def _amount(fields: Fields, name: str, currency: str) -> Decimal | None:
    amount = fields.number(name, required=True)
    if amount is not None and (amount <= 0 or not is_exact(amount=amount, currency=currency)):
        fields.refuse(20, f"Invalid value: {name} must be positive, with the decimals of its currency", name)
        return None
    return amount


def _invoices(call: Call, fields: Fields, account: Account, amount: Decimal) -> tuple[tuple[str, Decimal], ...]:
    applied = []
    for item in fields.items("invoices", most=_MOST_INVOICES) or []:
        inner = fields.inside(item if isinstance(item, dict) else {}, path="invoices.")
        key, part = inner.text("invoiceId", required=True), inner.number("amount", required=True)
        invoice = call.state.invoice(key, account=account) if key else None
        if part is not None and (invoice is None or not 0 < part <= invoice.balance):
            inner.refuse(30, "There is no such invoice, or its balance is less than the amount", "invoices")
        elif invoice is not None and part is not None:
            applied.append((invoice.id, part))
        fields.adopt(inner)
    if sum(part for _, part in applied) > amount:
        fields.refuse(20, "Invalid value: invoices exceed the amount of the payment", "invoices")
    return tuple(applied)


def _common(fields: Fields) -> dict[str, Any]:
    texts = {name: fields.text(name, longest=longest) for name, longest in _LONGEST.items()}
    return {
        "comment": texts["comment"],
        "soft_descriptor": texts["softDescriptor"] or "",
        "soft_descriptor_phone": texts["softDescriptorPhone"] or "",
        "gateway_options": fields.text_mapping("gatewayOptions") or {},
    }


def _payment(call: Call) -> UpcPayment:
    for payment in call.state.upc_payments.values():
        if call.arrived.key in {payment.id, payment.number} and _is_visible(call, payment):
            return payment
    raise refused(40, "Cannot find a payment with this key.", "paymentKey")


def _is_visible(call: Call, transaction: Transaction) -> bool:
    return (transaction.tenant, transaction.entity) == (call.client.tenant, call.entity)


# --- writing


def _common_json(transaction: Transaction) -> dict[str, Any]:
    return {
        "id": transaction.id,
        "number": transaction.number,
        "status": transaction.status,
        "type": "Electronic",
        "accountId": transaction.account_id,
        "amount": transaction.amount,
        "comment": transaction.comment,
        "paymentMethodId": transaction.method_id or None,
        "gatewayId": transaction.gateway_id,
        "gatewayResponse": transaction.message,
        "gatewayResponseCode": transaction.code,
        "gatewayState": _GATEWAY_STATES[transaction.status],
        "referenceId": transaction.reference_id,
        "softDescriptor": transaction.soft_descriptor or None,
        "softDescriptorPhone": transaction.soft_descriptor_phone or None,
        "createdDate": transaction.created_at.strftime("%Y-%m-%d %H:%M:%S"),
    }


def payment_json(upc: Upc, payment: UpcPayment) -> dict[str, Any]:
    """Return a payment as the API shows it."""
    is_paid = payment.status == "Processed"
    applied = sum((amount for _, amount in payment.invoices), Decimal(0)) if is_paid else Decimal(0)
    return _common_json(payment) | {
        "accountNumber": upc.state.accounts[payment.account_id].number,
        "appliedAmount": applied,
        "unappliedAmount": upc.paid_and_unrefunded(payment),
        "refundAmount": upc.refunded(payment),
        "creditBalanceAmount": Decimal(0),
        "currency": payment.currency,
        "effectiveDate": payment.created_at.date().isoformat(),
        "secondPaymentReferenceId": payment.second_reference_id,
    }


def refund_json(upc: Upc, refund: UpcRefund) -> dict[str, Any]:
    """Return a refund as the API shows it."""
    return _common_json(refund) | {
        "paymentId": refund.payment_id,
        "paymentNumber": upc.state.upc_payments[refund.payment_id].number,
        "refundDate": refund.created_at.date().isoformat(),
        "secondRefundReferenceId": refund.second_reference_id,
    }
