"""Payments and refunds that were made outside of Zuora: cash, checks, transfers. They are written down, and Processed.

    POST /v1/payments                  {"type": "External", "accountId": "...", "paymentMethodType": "Check",
                                        "amount": 14.99, "currency": "USD", "effectiveDate": "2026-11-20"}
    POST /v1/payments/{key}/refunds    {"type": "External", "methodType": "Check", "totalAmount": 10}

Sure, because documented: the account is optional, and so are the gateway and the date; without a method and its type
the default method of the account is used, which must be no electronic one; `methodType` is required for an external
refund, which an electronic payment may have too; its date is not before that of the payment. Documented both ways:
that the date must be today, which the samples of external payments break; here it may be any. Not sure: whether an
external payment can be refunded by a gateway; here it cannot.

Source: Zuora v1 API reference, "Create a payment" and "Refund a payment", read 2026-11.
"""

from decimal import Decimal
from typing import Any

from zuora_emulator.call import Call
from zuora_emulator.fields import Fields
from zuora_emulator.payment_fields import (
    account_of,
    amount_of,
    common_of,
    currency_of,
    date_of,
    fields_of,
    invoices_of,
    method_type_of,
    reference_of,
)
from zuora_emulator.payments import keep
from zuora_emulator.state import Account
from zuora_emulator.upc_records import UpcPayment, UpcRefund


def create_external_payment(call: Call) -> UpcPayment:
    """Write down a payment; the balances of its invoices fall.

    Raises:
        Refused: with everything that is wrong with the request; nothing was created.
    """
    fields = fields_of(call)
    account = account_of(call, fields, required=False)
    currency = currency_of(fields, account)
    amount = amount_of(fields, "amount", currency)
    _check_method(call, fields, account)
    gateway = _gateway(call, fields)
    invoices = invoices_of(call, fields, account, amount)
    dated, reference = date_of(fields, "effectiveDate"), reference_of(fields, "referenceId")
    common = common_of(fields)
    fields.finish()
    payment = UpcPayment(
        **call.upc.new_names("P"),
        **common,
        tenant=call.client.tenant,
        entity=call.entity,
        account_id=account.id if account else "",
        method_id="",
        gateway_id=gateway,
        amount=amount or Decimal(0),
        currency=currency,
        type="External",
        status="Processed",
        dated=dated,
        reference_id=reference,
        invoices=invoices,
    )
    keep(call, payment)
    _record(call, payment, {"payment_id": payment.id, "number": payment.number})
    return payment


def _check_method(call: Call, fields: Fields, account: Account | None) -> None:
    """Refuse electronic methods, which are all that the emulator has."""
    key, kind = fields.text("paymentMethodId"), method_type_of(fields, "paymentMethodType")
    method = call.state.payment_methods.get(key or "")
    if key is not None and (method is None or account is None or method.account_id != account.id):
        fields.refuse(40, "Cannot find a payment method of this account with this paymentMethodId", "paymentMethodId")
    elif key is not None:
        fields.refuse(30, "An external payment cannot have an electronic payment method.", "paymentMethodId")
    elif kind is None and account is not None and call.state.default_method(account.id):
        message = "The default payment method of the account is electronic; paymentMethodType is needed."
        fields.refuse(30, message, "paymentMethodType")


def _gateway(call: Call, fields: Fields) -> str:
    key = fields.text("gatewayId")
    gateway = None if key is None else call.state.gateway(key, tenant=call.client.tenant, entity=call.entity)
    if key is not None and gateway is None:
        fields.refuse(40, "Cannot find a payment gateway with this gatewayId", "gatewayId")
    return gateway.id if gateway else ""


def refund_externally(call: Call, payment: UpcPayment) -> UpcRefund:
    """Write down a refund of a payment of either kind.

    Raises:
        Refused: with everything that is wrong with the request; nothing was created.
    """
    fields = fields_of(call)
    method_type = method_type_of(fields, "methodType", required=True)
    amount = amount_of(fields, "totalAmount", payment.currency)
    if amount is not None and amount > call.upc.paid_and_unrefunded(payment):
        fields.refuse(30, "The refund exceeds the unapplied amount of the payment.", "totalAmount")
    dated = date_of(fields, "refundDate")
    if (dated or call.arrived.now.date()) < payment.effective_on:
        fields.refuse(20, "Invalid value: refundDate must not be before the date of the payment", "refundDate")
    references = {
        "reference_id": reference_of(fields, "referenceId"),
        "second_reference_id": reference_of(fields, "secondRefundReferenceId"),
    }
    more: dict[str, Any] = common_of(fields) | references
    fields.finish()
    refund = UpcRefund.of(
        payment,
        **call.upc.new_names("R"),
        **more,
        amount=amount or Decimal(0),
        type="External",
        status="Processed",
        dated=dated,
        method_type=method_type,
        gateway_id="",
    )
    call.state.upc_refunds[refund.id] = refund
    effects = {"refund_id": refund.id, "number": refund.number, "payment_id": refund.payment_id}
    _record(call, refund, effects)
    return refund


def _record(call: Call, transaction: UpcPayment | UpcRefund, effects: dict[str, str]) -> None:
    call.record(
        account=transaction.account_id or None,
        amount=transaction.amount,
        currency=transaction.currency,
        effects=effects,
    )
