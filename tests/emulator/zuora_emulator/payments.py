"""Paying one invoice with the amount inside an Apple Pay token."""

from dataclasses import dataclass
from decimal import Decimal

from zuora_emulator.apple_tokens import AppleCharge
from zuora_emulator.call import Call
from zuora_emulator.errors import refused
from zuora_emulator.state import Account, Invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A processed payment."""

    id: str
    amount: Decimal
    invoice: Invoice
    """The invoice with its balance after the payment."""


def payable_invoice(call: Call, *, key: str, account: Account, charge: AppleCharge) -> Invoice:
    """Return the invoice if this charge may pay it.

    Raises:
        Refused: no such invoice of the account, nothing open, another currency, or an amount the rule forbids.
    """
    invoice = call.state.invoice(key, account=account, by=call.settings.invoice_reference)
    if invoice is None:
        raise refused(40, "Cannot find an invoice of this account with this invoiceId.", "invoiceId")
    if invoice.balance <= 0:
        raise refused(30, "The invoice has no open balance.", "invoiceId")
    if invoice.currency != charge.currency.code:
        raise refused(30, "The currency of the payment token differs from the invoice's.", "paymentToken")
    _check_amount(call, charge.amount, invoice.balance)
    return invoice


def _check_amount(call: Call, amount: Decimal, balance: Decimal) -> None:
    rule = call.settings.amount_rule
    if amount <= 0:
        raise refused(20, "The amount of the payment token must be greater than 0.", "paymentToken")
    if rule == "equal" and amount != balance:
        raise refused(30, "The amount of the payment token differs from the invoice's balance.", "paymentToken")
    if rule == "at_most" and amount > balance:
        raise refused(30, "The amount of the payment token exceeds the invoice's balance.", "paymentToken")


def pay(call: Call, *, invoice: Invoice, charge: AppleCharge) -> Payment:
    """Process the payment; the invoice's balance falls."""
    paid = call.state.pay(invoice, charge.amount)
    return Payment(id=call.ids.object_id(), amount=charge.amount, invoice=paid)
