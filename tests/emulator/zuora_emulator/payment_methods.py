"""POST /v2/payment_methods (Quickstart).

    {"type": "sepa_debit", "account_id": "...", "sepa_debit": {"IBAN": "..."}}
    201  {"id": "...", "type": "sepa_debit", "account_id": "...", "sepa_debit": {...}, "state": "active", ...}

Source: Quickstart API reference, "Create a payment method", read 2026-11.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.apple_tokens import AppleCharge, TokenOpener, open_apple_token, use_up
from zuora_emulator.call import Call
from zuora_emulator.check_digits import is_card_number, is_iban
from zuora_emulator.errors import Reason, Refused
from zuora_emulator.ledger import short_hash
from zuora_emulator.payment_method_schema import OBJECTS, TOP
from zuora_emulator.payments import Payment, pay, payable_invoice
from zuora_emulator.schema_check import problems_of, shown
from zuora_emulator.selection import read_selection
from zuora_emulator.state import Account, PaymentMethod, State

USER = "2c92c0f80000000000000000000000ff"
"""Id of the user who owns the token."""
_DEFAULT_MERCHANT = "merchant.example.payorch"
"""Used when `apple_pay.id` is absent: the one registered merchant id."""


def create_payment_method(call: Call, opener: TokenOpener) -> Answer:
    """Create a payment method, and pay an invoice if an Apple Pay one asks for it.

    Raises:
        Refused: with everything that is wrong with the request.
    """
    selection = read_selection(call.arrived.query, strict=call.settings.unknown_selections == "refuse")
    kind = _checked_type(call)
    account = _account(call)
    _check_gateway(call)
    _check_numbers(call, kind)
    payment, token = _apple_pay(call, opener, account) if kind == "apple_pay" else (None, None)
    method = _created(call, kind, account)
    if payment is not None:
        payment.record.method_id = method.id
    _record(call, method, payment)
    body = _body(call, method, kind, payment=payment, token=token)
    call.state.payment_methods[method.id] = replace(method, shown=body)
    shown_account = account_body(account, call.state) if account and selection.expands_account else None
    return json_answer(201, selection.apply(body, shown_account))


def _checked_type(call: Call) -> str:
    problems = problems_of(call.body, TOP)
    if problems:
        raise Refused(tuple(problems))
    kind: str = call.body["type"]
    if kind not in OBJECTS:
        if call.settings.accept_types_without_object:
            return kind
        raise _refused("invalid_request", f"A payment method of type {kind} cannot be created.", "type")
    if kind not in call.body:
        raise _refused("missing_parameter", f"The {kind} object is required for this type.", kind)
    strangers = [name for name in OBJECTS if name in call.body and name != kind]
    if strangers:
        message = f"The {strangers[0]} object does not belong to type {kind}."
        raise _refused("parameters_exclusive", message, strangers[0])
    return kind


def _account(call: Call) -> Account | None:
    found: list[Account] = []
    for name in ("account_id", "account_number"):
        key = call.body.get(name)
        if key is None:
            continue
        account = call.account(key)
        if account is None or key != getattr(account, name.removeprefix("account_")):
            raise _refused("resource_not_found", "There is no such account.", name)
        found.append(account)
    if len({account.id for account in found}) > 1:
        raise _refused("parameters_exclusive", "account_id and account_number name two accounts.", "account_number")
    return found[0] if found else None


def _check_gateway(call: Call) -> None:
    key = call.body.get("gateway_id")
    if key is not None and not call.state.gateway(key, tenant=call.client.tenant, entity=call.entity):
        raise _refused("resource_not_found", "There is no such payment gateway.", "gateway_id")


def _check_numbers(call: Call, kind: str) -> None:
    if not call.settings.check_numbers:
        return
    if kind == "card" and not is_card_number(call.body["card"]["card_number"]):
        message = "The card number is not valid."
        reason = Reason(
            category=30, message=message, parameter="card.card_number", quickstart_code="card_error",
            quickstart_status=402,
        )  # fmt: skip
        raise Refused((reason,))
    if kind == "sepa_debit" and not is_iban(call.body["sepa_debit"]["IBAN"]):
        raise _refused("invalid_value", "The IBAN is not valid.", "sepa_debit.IBAN")


def _apple_pay(call: Call, opener: TokenOpener, account: Account | None) -> tuple[Payment | None, AppleCharge]:
    wallet = call.body["apple_pay"]
    collects = wallet.get("collect_payment", False)
    if collects and "invoice_id" not in wallet:
        raise _refused("missing_parameter", "collect_payment needs an invoice_id.", "apple_pay.invoice_id")
    if collects and account is None:
        raise _refused("missing_parameter", "collect_payment needs an account.", "account_id")
    try:
        return _charged(call, opener, wallet, account if collects else None)
    except Refused as refusal:
        raise _in_quickstart_words(refusal) from refusal


def _charged(
    call: Call, opener: TokenOpener, wallet: Mapping[str, Any], payer: Account | None
) -> tuple[Payment | None, AppleCharge]:
    merchant_id = wallet.get("id", _DEFAULT_MERCHANT)
    charge = open_apple_token(call, opener, merchant_id=merchant_id, token=wallet["customer_token"])
    if payer is None:
        use_up(call, charge)
        return None, charge
    invoice = payable_invoice(call, key=wallet["invoice_id"], account=payer, charge=charge)
    if call.decline:
        reason = Reason(
            category=30,
            message=f"The card was declined ({call.decline}).",
            quickstart_code="card_error",
            quickstart_status=402,
        )
        raise Refused((reason,))
    use_up(call, charge)
    return pay(call, account=payer, invoice=invoice, charge=charge), charge


_QUICKSTART_NAMES = {"paymentToken": "apple_pay.customer_token", "invoiceId": "apple_pay.invoice_id"}


def _in_quickstart_words(refusal: Refused) -> Refused:
    """Return the refusal with the parameters named as Quickstart names them."""
    reasons = (
        replace(reason, parameter=_QUICKSTART_NAMES.get(reason.parameter or "", reason.parameter))
        for reason in refusal.reasons
    )
    return Refused(tuple(reasons))


def _created(call: Call, kind: str, account: Account | None) -> PaymentMethod:
    method = PaymentMethod(
        id=call.ids.object_id(),
        tenant=call.client.tenant,
        entity=call.entity,
        account_id=account.id if account else None,
        type=kind,
        is_default=call.body.get("is_default", False),
        created_at=call.arrived.now,
    )
    call.state.add_method(method)
    return method


def _record(call: Call, method: PaymentMethod, payment: Payment | None) -> None:
    effects = {"payment_method_id": method.id}
    if payment is not None:
        effects |= {"payment_id": payment.id, "invoice": payment.invoice.number}
    call.record(
        account=method.account_id,
        effects=effects,
        amount=payment.amount if payment else None,
        currency=payment.invoice.currency if payment else None,
    )


def _body(
    call: Call, method: PaymentMethod, kind: str, *, payment: Payment | None, token: AppleCharge | None
) -> dict[str, Any]:
    now = call.arrived.now.isoformat(timespec="seconds")
    body: dict[str, Any] = {
        "id": method.id,
        "created_by_id": USER,
        "created_time": now,
        "updated_by_id": USER,
        "updated_time": now,
        "custom_fields": {},
        **({"account_id": method.account_id} if method.account_id else {}),
        "state": "active",
        "auto_generated": False,
        "use_default_retry_rule": "maximum_payment_attempts" not in call.body,
        "existing_mandate": False,
        "number_of_consecutive_failures": 0,
        "total_number_of_processed_payments": 1 if payment else 0,
        "total_number_of_error_payments": 0,
        **shown({name: value for name, value in call.body.items() if name != "account_id"}, TOP),
    }
    if payment is not None:
        body |= {"last_transaction_time": now, "last_transaction_status": "Approved"}
    if kind not in OBJECTS:
        return body
    own = body[kind]
    if "mandate" in own:
        own["mandate"]["state"] = "active"
    match kind:
        case "card":
            number = call.body["card"]["card_number"]
            own["last_4"] = number[-4:]
            body.setdefault("bank_identification_number", number[:6])
        case "cc_ref":
            own["card"] = own.get("card", {}) | {"last_4": _last_4_at_gateway(call.body["cc_ref"]["token"])}
        case "apple_pay":
            assert token is not None
            own |= _apple_pay_body(call, payment, token)
    return body


def _last_4_at_gateway(token: str) -> str:
    """Return the digits a gateway would know of the card behind a token: always the same ones, of the token itself."""
    return f"{int(short_hash(token), 16) % 10_000:04}"


def _apple_pay_body(call: Call, payment: Payment | None, token: AppleCharge) -> dict[str, Any]:
    card = {
        "brand": token.brand,
        "expiry_month": token.expiry_month,
        "expiry_year": token.expiry_year,
        "last_4": token.last_digits,
    }
    paid = {} if payment is None else {"payment_id": payment.id}
    return {"card": card, "token": call.ids.object_id(), **paid}


def account_body(account: Account, state: State) -> Mapping[str, Any]:
    """Return an account as Quickstart shows it."""
    default = state.default_method(account.id)
    return ({"default_payment_method_id": default.id} if default else {}) | {
        "id": account.id,
        "account_number": account.number,
        "name": account.name,
        "currency": account.currency,
        "payment_gateway": account.gateway_id,
        "enabled": True,
    }


def _refused(code: str, message: str, parameter: str) -> Refused:
    return Refused((Reason(category=20, message=message, parameter=parameter, quickstart_code=code),))
