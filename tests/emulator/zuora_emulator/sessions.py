"""POST /web-payments/sessions.

    {"accountId": "...", "currency": "USD", "amount": 100, "processPayment": true, "storePaymentMethod": true,
     "paymentGateway": "<id>", "invoices": [{"invoiceNumber": "INV00000001"}]}
    200  {"token": "<32 characters>"}

Source: Zuora v1 API reference, "Create a payment session", read 2026-11.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Call
from zuora_emulator.currency import is_exact
from zuora_emulator.fields import Fields
from zuora_emulator.ledger import short_hash
from zuora_emulator.state import Account, Invoice, Session

MOST_INVOICES = 1000


def create_session(call: Call) -> Answer:
    """Create a session.

    Raises:
        Refused: with everything that is wrong with the request.
    """
    fields = Fields(call.body, text_amounts=call.settings.text_amounts == "accept")
    currency = _currency(fields)
    processes = fields.flag("processPayment", required=True)
    stores = fields.flag("storePaymentMethod", default=True)
    amount = _amount(call, fields, processes=processes, currency=currency)
    fields.text_mapping("gatewayOptions")
    _check_mode(call, fields, processes=processes, stores=stores)
    account = _account(call, fields, required=processes)
    gateway = _gateway(call, fields, account)
    fields.finish()
    invoices = _invoices(call, fields, account=account, amount=amount, currency=currency)
    fields.finish()
    session = Session(
        client=call.client,
        entity=call.entity,
        orgs=call.orgs,
        account_id=account.id if account else None,
        amount=amount or Decimal(0),
        currency=currency or "",
        processes=processes,
        stores=stores,
        invoices=tuple(invoice.id for invoice in invoices),
        gateway_id=gateway,
        created_at=call.arrived.now,
    )
    return _created(call, session)


def _currency(fields: Fields) -> str | None:
    currency = fields.text("currency", required=True)
    if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
        fields.refuse(20, "Invalid value: currency must be a three-letter ISO 4217 code", "currency")
    return currency


def _amount(call: Call, fields: Fields, *, processes: bool, currency: str | None) -> Decimal | None:
    legacy = call.settings.legacy_auth_amount and not processes
    authorised = fields.number("authAmount", required=legacy)
    amount = fields.number("amount", required=not legacy)
    for name, value in (("authAmount", authorised), ("amount", amount)):
        if value is None:
            continue
        if value < 0 or (value == 0 and (processes or name == "authAmount")):
            fields.refuse(20, f"Invalid value: {name} must be greater than 0", name)
        if currency is not None and not is_exact(amount=value, currency=currency):
            fields.refuse(20, f"Invalid value: {name} has more decimals than {currency[:3]} has", name)
    return authorised if legacy else amount


def _check_mode(call: Call, fields: Fields, *, processes: bool, stores: bool) -> None:
    if not processes and not stores and not call.settings.accept_purposeless_session:
        fields.refuse(30, "processPayment and storePaymentMethod must not both be false", "storePaymentMethod")
    if not processes and "invoices" in fields and not call.settings.accept_invoices_without_payment:
        fields.refuse(30, "invoices need processPayment", "invoices")


def _account(call: Call, fields: Fields, *, required: bool) -> Account | None:
    key = fields.text("accountId", required=required)
    account = None if key is None else call.account(key)
    if key is not None and account is None:
        fields.refuse(40, "Cannot find an account with this accountId", "accountId")
    return account


def _gateway(call: Call, fields: Fields, account: Account | None) -> str:
    key = fields.text("paymentGateway")
    if key is not None and not call.state.gateway(key, tenant=call.client.tenant, entity=call.entity):
        fields.refuse(40, "Cannot find a payment gateway with this id", "paymentGateway")
    return key or (account.gateway_id if account else "")


def _invoices(
    call: Call, fields: Fields, *, account: Account | None, amount: Decimal | None, currency: str | None
) -> list[Invoice]:
    items = fields.items("invoices", most=MOST_INVOICES)
    if items is None:
        return []
    if account is None:
        fields.refuse(22, "Missing required value: accountId", "accountId")
        return []
    invoices = [_invoice(call, fields, account=account, item=item) for item in items]
    found = [invoice for invoice in invoices if invoice is not None]
    if len(found) < len(invoices):
        return []
    if len({invoice.id for invoice in found}) < len(found):
        fields.refuse(20, "Invalid value: invoices names an invoice twice", "invoices")
    if any(invoice.currency != currency for invoice in found):
        fields.refuse(30, "The currency of an invoice differs from the session's", "currency")
    if sum(invoice.balance for invoice in found) != amount:
        fields.refuse(30, "amount must equal the sum of the invoices' balances", "amount")
    return found


def _invoice(call: Call, fields: Fields, *, account: Account, item: Any) -> Invoice | None:
    number = item.get("invoiceNumber") if isinstance(item, Mapping) else None
    if not isinstance(number, str):
        fields.refuse(22, "Missing required value: invoices.invoiceNumber", "invoices")
        return None
    invoice = call.state.invoice(number, account=account, by="number")
    if invoice is None:
        fields.refuse(40, "Cannot find an invoice of this account with this number", "invoices")
    elif invoice.balance <= 0:
        fields.refuse(30, "An invoice has no open balance", "invoices")
    return invoice


def _created(call: Call, session: Session) -> Answer:
    token = call.ids.session_token()
    call.state.sessions[token] = session
    call.record(
        account=session.account_id,
        amount=session.amount,
        currency=session.currency,
        effects={"session_token_sha256": short_hash(token)},
    )
    return json_answer(200, {"token": token})
