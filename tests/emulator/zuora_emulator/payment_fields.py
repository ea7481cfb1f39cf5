"""Reading what the requests for payments and refunds have in common."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from zuora_emulator.call import Call
from zuora_emulator.currency import BY_CODE, is_exact
from zuora_emulator.fields import Fields
from zuora_emulator.state import Account, Invoice
from zuora_emulator.upc_records import METHOD_TYPES

_LONGEST = {"comment": 255, "softDescriptor": 35, "softDescriptorPhone": 20}
LONGEST_REFERENCE = 100
_MOST_DOCUMENTS = 1_000
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def fields_of(call: Call) -> Fields:
    """Return a reader of the call's body."""
    return Fields(call.body, text_amounts=call.settings.text_amounts == "accept")


def account_of(call: Call, fields: Fields, *, required: bool = True) -> Account | None:
    """Read the account, which `accountId` and `accountNumber` may both name."""
    keys = {name: key for name in ("accountId", "accountNumber") if (key := fields.text(name)) is not None}
    if not keys:
        if required:
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


def currency_of(fields: Fields, account: Account | None) -> str:
    """Read the currency, which is that of the account if there is one."""
    currency = fields.text("currency", required=True)
    if account is not None and currency is not None and currency != account.currency:
        fields.refuse(20, "Invalid value: currency must be the currency of the account", "currency")
    elif currency is not None and currency not in BY_CODE:
        fields.refuse(20, "Invalid value: currency must be a code of ISO 4217", "currency")
    return currency or ""


def amount_of(fields: Fields, name: str, currency: str) -> Decimal | None:
    """Read an amount of a currency."""
    amount = fields.number(name, required=True)
    if amount is not None and (amount <= 0 or not is_exact(amount=amount, currency=currency)):
        fields.refuse(20, f"Invalid value: {name} must be positive, with the decimals of its currency", name)
        return None
    return amount


def date_of(fields: Fields, name: str) -> date | None:
    """Read a date of the form yyyy-mm-dd."""
    text = fields.text(name)
    if text is None:
        return None
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        fields.refuse(20, f"Invalid value: {name} must be a date of the form yyyy-mm-dd", name)
    return found


def method_type_of(fields: Fields, name: str, *, required: bool = False) -> str | None:
    """Read how money came in or went back outside of Zuora."""
    return fields.text(name, required=required, allowed=METHOD_TYPES)


def reference_of(fields: Fields, name: str) -> str | None:
    """Read a transaction id of a gateway."""
    return fields.text(name, longest=LONGEST_REFERENCE)


def invoices_of(
    call: Call, fields: Fields, account: Account | None, amount: Decimal | None
) -> tuple[tuple[str, Decimal], ...]:
    """Read the ids of invoices, and what of the amount is for each; never more than is open."""
    _refuse_what_is_not_emulated(fields)
    items = fields.items("invoices", most=_MOST_DOCUMENTS) or []
    if items and account is None:
        fields.refuse(22, "Missing required value: accountId", "accountId")
        return ()
    applied: dict[str, Decimal] = {}
    for item in items:
        inner = fields.inside(item if isinstance(item, dict) else {}, path="invoices.")
        assert account is not None
        invoice, part = _invoice(call, inner, account), amount_of(inner, "amount", account.currency)
        if invoice is not None and part is not None:
            applied[invoice.id] = applied.get(invoice.id, Decimal(0)) + part
            if applied[invoice.id] > invoice.balance:
                inner.refuse(30, "The balance of the invoice is less than the amount", "invoices")
        fields.adopt(inner)
    if amount is not None and sum(applied.values()) > amount:
        fields.refuse(20, "Invalid value: invoices exceed the amount of the payment", "invoices")
    return tuple(applied.items())


def _invoice(call: Call, fields: Fields, account: Account) -> Invoice | None:
    """Find the invoice that `invoiceId` and `invoiceNumber` name; it is in the currency of its account."""
    names = [name for name in ("invoiceId", "invoiceNumber") if name in fields] or ["invoiceId"]
    keys = {name: key for name in names if (key := fields.text(name, required=True)) is not None}
    found = {name: call.state.invoice(key, account=account) for name, key in keys.items()}
    for name, invoice in found.items():
        if invoice is None:
            fields.refuse(40, f"Cannot find an invoice of this account with this {name}", name)
    invoices = {invoice.id: invoice for invoice in found.values() if invoice is not None}
    if len(invoices) > 1:
        fields.refuse(20, "Invalid value: invoiceId and invoiceNumber name two invoices", "invoiceId")
    first = next(iter(invoices.values()), None)
    if first is not None and first.currency != account.currency:
        fields.refuse(30, "The currency of the payment differs from the invoice's.", "currency")
    return first


def _refuse_what_is_not_emulated(fields: Fields) -> None:
    """Refuse what would be looked up or paid later, and would not be there."""
    if fields.items("debitMemos", most=_MOST_DOCUMENTS):
        fields.refuse(40, "Cannot find a debit memo with this debitMemoId", "debitMemos")
    if "number" in fields:
        fields.refuse(45, "Choosing the number of a payment is not emulated", "number")


def common_of(fields: Fields) -> dict[str, Any]:
    """Read the members that every payment and refund may have."""
    texts: Mapping[str, str | None] = {name: fields.text(name, longest=longest) for name, longest in _LONGEST.items()}
    return {
        "comment": texts["comment"],
        "soft_descriptor": texts["softDescriptor"] or "",
        "soft_descriptor_phone": texts["softDescriptorPhone"] or "",
        "gateway_options": fields.text_mapping("gatewayOptions") or {},
    }
