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
from zuora_emulator.errors import refused
from zuora_emulator.external_payments import create_external_payment, refund_externally
from zuora_emulator.fields import Fields
from zuora_emulator.ledger import Caller
from zuora_emulator.payment_answers import payment_json, refund_json
from zuora_emulator.payment_fields import (
    account_of,
    amount_of,
    common_of,
    currency_of,
    date_of,
    fields_of,
    invoices_of,
    reference_of,
)
from zuora_emulator.state import Account, PaymentMethod
from zuora_emulator.upc import Upc
from zuora_emulator.upc_records import Transaction, UpcPayment, UpcRefund


async def create_payment(call: Call) -> Answer:
    """Create a payment, and ask the hub of a custom method; other methods are paid at once.

    Raises:
        Refused: with everything that is wrong with the request; nothing was created.
    """
    if call.body.get("type") == "External":
        payment = create_external_payment(call)
    else:
        payment = await _paid(call)
    return json_answer(200, payment_json(call.upc, payment) | {"success": True})


async def _paid(call: Call) -> UpcPayment:
    fields = fields_of(call)
    fields.text("type", required=True, allowed=("External", "Electronic"))
    account = account_of(call, fields)
    method = None if account is None else _method(call, fields, account)
    currency = currency_of(fields, account)
    amount = amount_of(fields, "amount", currency)
    gateway = _gateway(call, fields, account, method)
    invoices = invoices_of(call, fields, account, amount)
    _check_today(call, fields)
    common = common_of(fields)
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
    await call.upc.pay(payment, by=_caller(call), decline=call.decline or "")
    return payment


def get_payment(call: Call) -> Answer:
    """Return a payment.

    Raises:
        Refused: there is none with this id or number in this entity.
    """
    return json_answer(200, payment_json(call.upc, _payment(call)) | {"success": True})


async def refund_payment(call: Call) -> Answer:
    """Create a refund of a payment and ask the hub, or write down one that was made outside of Zuora.

    Raises:
        Refused: with everything that is wrong with the request; nothing was created.
    """
    payment = _payment(call)
    if call.body.get("type") == "External":
        refund = refund_externally(call, payment)
    else:
        refund = await _refunded(call, payment)
    return json_answer(200, refund_json(call.upc, refund) | {"success": True})


async def _refunded(call: Call, payment: UpcPayment) -> UpcRefund:
    fields = fields_of(call)
    fields.text("type", required=True, allowed=("External", "Electronic"))
    if payment.type == "External":
        fields.refuse(30, "No gateway has the money of an external payment; its refund must be external.", "type")
    if "methodType" in fields:
        fields.refuse(20, "Invalid value: methodType must be empty for an electronic refund", "methodType")
    amount = amount_of(fields, "totalAmount", payment.currency)
    if amount is not None and amount > call.upc.paid_and_unrefunded(payment):
        fields.refuse(30, "The refund exceeds the unapplied amount of the payment.", "totalAmount")
    common = common_of(fields)
    # Checked only: the gateway decides the date and the ids of an electronic refund.
    date_of(fields, "refundDate")
    reference_of(fields, "referenceId")
    reference_of(fields, "secondRefundReferenceId")
    fields.finish()
    refund = new_refund(call.upc, payment, amount=amount or Decimal(0), **common)
    await call.upc.refund(refund, by=_caller(call))
    return refund


def get_refund(call: Call) -> Answer:
    """Return a refund.

    Raises:
        Refused: there is none with this id or number in this entity.
    """
    for refund in call.state.upc_refunds.values():
        if call.arrived.key in {refund.id, refund.number} and is_visible(call, refund):
            return json_answer(200, refund_json(call.upc, refund) | {"success": True})
    raise refused(40, "Cannot find a refund with this key.", "refundKey")


def new_refund(upc: Upc, payment: UpcPayment, **own: Any) -> UpcRefund:
    """Return a refund of a payment that was not asked for yet."""
    return UpcRefund.of(payment, **upc.new_names("R"), **own)


# --- reading


def _caller(call: Call) -> Caller:
    arrived = call.arrived
    return Caller(
        request_id=arrived.request_id,
        orgs=call.orgs,
        track_id=arrived.track_id,
        idempotency_key=arrived.idempotency_key,
    )


def _method(call: Call, fields: Fields, account: Account) -> PaymentMethod | None:
    key = fields.text("paymentMethodId")
    method = call.state.default_method(account.id) if key is None else call.state.payment_methods.get(key)
    if method is None or method.account_id != account.id:
        fields.refuse(40, "Cannot find a payment method of this account with this paymentMethodId", "paymentMethodId")
        return None
    return method


def _gateway(call: Call, fields: Fields, account: Account | None, method: PaymentMethod | None) -> str:
    """Return the id of the gateway: for a custom method one that asks a hub, for others any that the entity has."""
    key, tenant, entity = fields.text("gatewayId"), call.client.tenant, call.entity
    if method is not None and call.upc.type_of(method.type) is None:
        usual = account.gateway_id if account else ""
        plain = call.state.gateway(usual if key is None else key, tenant=tenant, entity=entity)
        if plain is None:
            fields.refuse(40, "Cannot find a payment gateway with this gatewayId", "gatewayId")
        return plain.id if plain else ""
    hub = call.upc.gateway_for(key, account=account, tenant=tenant, entity=entity)
    if hub is None:
        fields.refuse(40, "Cannot find a gateway for custom payment methods with this gatewayId", "gatewayId")
    return hub.id if hub else ""


def _check_today(call: Call, fields: Fields) -> None:
    effective = date_of(fields, "effectiveDate")
    if effective is not None and effective != call.arrived.now.date():
        fields.refuse(20, "Invalid value: effectiveDate of an electronic payment must be today", "effectiveDate")


def _payment(call: Call) -> UpcPayment:
    for payment in call.state.upc_payments.values():
        if call.arrived.key in {payment.id, payment.number} and is_visible(call, payment):
            return payment
    raise refused(40, "Cannot find a payment with this key.", "paymentKey")


def is_visible(call: Call, transaction: Transaction) -> bool:
    """Whether the caller may see a payment or refund: it is of its entity and, with Multi-Org, of its orgs."""
    account = call.state.accounts.get(transaction.account_id)
    is_here = (transaction.tenant, transaction.entity) == (call.client.tenant, call.entity)
    return is_here and (account is None or call.sees(account))
