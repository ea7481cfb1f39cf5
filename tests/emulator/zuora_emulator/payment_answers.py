"""Payments and refunds as the API shows them."""

from decimal import Decimal
from typing import Any

from zuora_emulator.payment_methods import USER
from zuora_emulator.upc import Upc
from zuora_emulator.upc_records import Transaction, UpcPayment, UpcRefund

_GATEWAY_STATES = {"Processing": "MarkedForSubmission", "Processed": "Submitted", "Error": "NotSubmitted"}
_TIME = "%Y-%m-%d %H:%M:%S"


def _common_json(transaction: Transaction) -> dict[str, Any]:
    is_external = transaction.type == "External"
    return {
        "id": transaction.id,
        "number": transaction.number,
        "status": transaction.status,
        "type": transaction.type,
        "accountId": transaction.account_id or None,
        "amount": transaction.amount,
        "comment": transaction.comment,
        "paymentMethodId": transaction.method_id or None,
        "gatewayId": transaction.gateway_id or None,
        "gatewayResponse": transaction.message,
        "gatewayResponseCode": transaction.code,
        "gatewayState": "NotSubmitted" if is_external else _GATEWAY_STATES[transaction.status],
        "referenceId": transaction.reference_id,
        "softDescriptor": transaction.soft_descriptor or None,
        "softDescriptorPhone": transaction.soft_descriptor_phone or None,
        "createdById": USER,
        "createdDate": transaction.created_at.strftime(_TIME),
        "updatedById": USER,
        "updatedDate": (transaction.concluded_at or transaction.created_at).strftime(_TIME),
    }


def payment_json(upc: Upc, payment: UpcPayment) -> dict[str, Any]:
    """Return a payment as the API shows it."""
    is_paid = payment.status == "Processed"
    applied = sum((amount for _, amount in payment.invoices), Decimal(0)) if is_paid else Decimal(0)
    account = upc.state.accounts.get(payment.account_id)
    return _common_json(payment) | {
        "accountNumber": account.number if account else None,
        "appliedAmount": applied,
        "unappliedAmount": upc.paid_and_unrefunded(payment),
        "refundAmount": upc.refunded(payment),
        "creditBalanceAmount": Decimal(0),
        "currency": payment.currency,
        "effectiveDate": payment.effective_on.isoformat(),
        "secondPaymentReferenceId": payment.second_reference_id,
    }


def refund_json(upc: Upc, refund: UpcRefund) -> dict[str, Any]:
    """Return a refund as the API shows it."""
    return _common_json(refund) | {
        "methodType": refund.method_type,
        "paymentId": refund.payment_id,
        "paymentNumber": refund.payment_number,
        "refundDate": refund.effective_on.isoformat(),
        "secondRefundReferenceId": refund.second_reference_id,
    }
