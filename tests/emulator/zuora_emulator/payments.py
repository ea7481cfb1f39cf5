"""Payments that are Processed at once: with the amount inside an Apple Pay token, by a session, or outside of Zuora."""

from dataclasses import dataclass
from decimal import Decimal

from zuora_emulator.apple_tokens import AppleCharge
from zuora_emulator.call import Call
from zuora_emulator.errors import refused
from zuora_emulator.state import Account, Invoice
from zuora_emulator.upc_records import UpcPayment


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A processed payment."""

    record: UpcPayment
    """The payment as `/v1/payments` shows it."""
    invoice: Invoice
    """The invoice with its balance after the payment."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def amount(self) -> Decimal:
        """What was paid."""
        return self.record.amount


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


def pay(call: Call, *, account: Account, invoice: Invoice, charge: AppleCharge) -> Payment:
    """Process the payment; the invoice's balance falls. Its method and gateway are entered by the caller."""
    applied = ((invoice.id, charge.amount),)
    record = processed(call, account, amount=charge.amount, currency=invoice.currency, invoices=applied)
    return Payment(record=record, invoice=call.state.invoices[invoice.id])


def processed(
    call: Call, account: Account, *, amount: Decimal, currency: str, invoices: tuple[tuple[str, Decimal], ...] = ()
) -> UpcPayment:
    """Process a payment at the account's gateway; the balances of invoices fall by what of it is for each."""
    payment = UpcPayment(
        **call.upc.new_names("P"),
        tenant=account.tenant,
        entity=account.entity,
        account_id=account.id,
        method_id="",
        gateway_id=account.gateway_id,
        amount=amount,
        currency=currency,
        status="Processed",
        invoices=invoices,
    )
    keep(call, payment)
    return payment


def keep(call: Call, payment: UpcPayment) -> None:
    """Keep a processed payment; the balances of its invoices fall."""
    call.state.upc_payments[payment.id] = payment
    for invoice_id, part in payment.invoices:
        call.state.pay(call.state.invoices[invoice_id], part)
