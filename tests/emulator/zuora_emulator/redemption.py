"""POST /_emulator/sessions/{token}/redeem: a stand-in of what a browser does with a session's token.

    {"type": "CreditCard", "decline": "insufficient_funds"}      both may be left out
    200  {"success": true, "paymentMethodId": "...", "paymentId": "..."}
    402  {"success": false, "error": {"type": "transaction_error", "code": "transaction_declined", "message": "..."}}

Sure, because documented: the members of the answer, the types and codes of errors. Not sure: how long a session lives
and whether it can be used once only, which are switches; what a page is answered for one that cannot be used (401
here); whether a declined session can be tried again (it can here).

Source: Zuora documentation, "Payment Form", "Create a payment session", read 2026-11.
"""

from datetime import timedelta
from decimal import Decimal

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Arrived, Call
from zuora_emulator.declines import DECLINES, decline_message
from zuora_emulator.errors import Reason, Refused, refused
from zuora_emulator.fields import Fields
from zuora_emulator.payment_methods_v1 import REQUIRED
from zuora_emulator.payments import processed
from zuora_emulator.settings import Settings
from zuora_emulator.state import Account, PaymentMethod, Session, State
from zuora_emulator.upc_records import UpcPayment

_DECLINED_STATUS = 402
REDEEMED_TYPES = (*REQUIRED, "ApplePay", "Alipay")
"""Types of payment methods that a page may have asked for."""


def session_of(arrived: Arrived, state: State, settings: Settings) -> Session:
    """Return the session that a call redeems.

    Raises:
        Refused: there is none with this token, its life is over, or it was redeemed before.
    """
    session = state.sessions.get(arrived.key)
    if session is None:
        raise refused(11, "There is no such session.")
    life = settings.session_life_minutes
    if life is not None and arrived.now - session.created_at >= timedelta(minutes=life):
        raise refused(11, "The session has expired.")
    if settings.session_single_use and arrived.key in state.redeemed_sessions:
        raise refused(11, "The session has been used already.")
    return session


def redeem_session(call: Call) -> Answer:
    """Do what the session is for: create a payment method, pay, or both.

    Raises:
        Refused: nothing was done.
    """
    session = session_of(call.arrived, call.state, call.settings)
    fields = Fields(call.body)
    kind = fields.text("type", allowed=REDEEMED_TYPES) or "CreditCard"
    decline = call.decline or fields.text("decline", allowed=tuple(DECLINES))
    fields.finish()
    account = call.state.accounts[session.account_id] if session.account_id else None
    invoices = _invoices(call, session)
    if decline:
        reason = Reason(category=60, message=decline_message(decline), quickstart_status=_DECLINED_STATUS)
        raise Refused((reason,))
    # From here on things exist: no refusal any more.
    call.state.redeemed_sessions.add(call.arrived.key)
    method = _method(call, kind, account) if session.stores else None
    payment = None
    if session.processes and account is not None:
        payment = processed(call, account, amount=session.amount, currency=session.currency, invoices=invoices)
        payment.method_id, payment.gateway_id = method.id if method else "", session.gateway_id
    return _answer(call, session, method, payment)


def _invoices(call: Call, session: Session) -> tuple[tuple[str, Decimal], ...]:
    owed = tuple((key, call.state.invoices[key].balance) for key in session.invoices)
    if owed and sum(balance for _, balance in owed) != session.amount:
        raise refused(30, "The balances of the invoices have changed since the session was created.")
    return owed


def _method(call: Call, kind: str, account: Account | None) -> PaymentMethod:
    method = PaymentMethod(
        id=call.ids.object_id(),
        tenant=call.client.tenant,
        entity=call.entity,
        account_id=account.id if account else None,
        type=kind,
        is_default=False,
        created_at=call.arrived.now,
        last_digits="1111" if kind == "CreditCard" else "",
    )
    call.state.add_method(method)
    return method


def _answer(call: Call, session: Session, method: PaymentMethod | None, payment: UpcPayment | None) -> Answer:
    effects = {"payment_method_id": method.id} if method else {}
    effects |= {"payment_id": payment.id} if payment else {}
    call.record(
        account=session.account_id,
        amount=payment.amount if payment else None,
        currency=payment.currency if payment else None,
        effects=effects,
    )
    ids = {"paymentMethodId": method.id if method else None, "paymentId": payment.id if payment else None}
    return json_answer(200, {"success": True} | {name: key for name, key in ids.items() if key is not None})
