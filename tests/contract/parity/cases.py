"""The cases: what is asked, and what has to be at hand for it.

No case moves money without the need `money`, and none creates anything without the need `create`. Those that expect a
refusal could do neither if they were accepted: a session moves no money before a browser uses it, a token that is no
token cannot be opened, and a payment method without its fields cannot be stored.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.parity.subject import Subject
from contract.zuora_caller import DECRYPTION, METHODS, METHODS_V1, SESSIONS

_FORM = "application/x-www-form-urlencoded"
_NO_ID = "0" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; the access token, entity and org are added when it is sent unless `headers` name them.

    Attributes:
        content: A JSON value, a text as it is, or None.
        headers: None takes a usual header away.
        form: Whether the content is a form, for the token endpoint, which gets no access token.
    """

    method: str = "POST"
    path: str
    content: Any = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    form: bool = False

    def body(self) -> tuple[bytes, str | None]:
        """Return the body, and its type unless there is none."""
        if self.content is None:
            return b"", None
        if self.form:
            return str(self.content).encode(), _FORM
        text = self.content if isinstance(self.content, str) else json.dumps(self.content)
        return text.encode(), "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question; several requests are sent one after another with the same run's idempotency keys."""

    name: str
    requests: Callable[[Subject, str], Sequence[Request]]
    """Takes the subject and a text that is new in each run."""
    needs: tuple[str, ...] = ()


def _case(name: str, make: Callable[[Subject], Request | Sequence[Request]], *needs: str) -> Case:
    def requests(subject: Subject, _run: str) -> Sequence[Request]:
        made = make(subject)
        return [made] if isinstance(made, Request) else made

    return Case(name=name, requests=requests, needs=needs)


def _grant(subject: Subject, *, secret: str | None = None, grant: str = "client_credentials") -> str:
    return f"client_id={subject.client_id}&client_secret={secret or subject.client_secret}&grant_type={grant}"


def _token(name: str, make: Callable[[Subject], str], **headers: str) -> Case:
    return _case(name, lambda to: Request(path="/oauth/token", content=make(to), form=True, headers=headers))


def _session(
    name: str, *needs: str, without: Sequence[str] = (), headers: Mapping[str, str | None] = {}, **more: Any
) -> Case:
    def make(to: Subject) -> Request:
        stored = {"currency": to.currency, "amount": 1, "processPayment": False}
        body = stored | {name: value(to) if callable(value) else value for name, value in more.items()}
        return Request(path=SESSIONS, content={n: v for n, v in body.items() if n not in without}, headers=headers)

    return _case(name, make, *needs)


def _pay(name: str, *needs: str, **more: Any) -> Case:
    usual = {"processPayment": True, "accountId": lambda to: to.account_id}
    return _session(name, "account_id", *needs, **(usual | more))


def _post(name: str, path: str, body: Any, *needs: str, **headers: str | None) -> Case:
    def make(to: Subject) -> Request:
        return Request(path=path, content=body(to) if callable(body) else body, headers=headers)

    return _case(name, make, *needs)


def _keyed(name: str, second: Mapping[str, Any]) -> Case:
    def requests(subject: Subject, run: str) -> Sequence[Request]:
        first = {"currency": subject.currency, "amount": 1, "processPayment": False}
        headers = {"Idempotency-Key": f"parity-{name}-{run}"}
        return [Request(path=SESSIONS, content=body, headers=headers) for body in (first, first | second)]

    return Case(name=name, requests=requests)


def _decryption(token: Any, **more: Any) -> Callable[[Subject], dict[str, Any]]:
    def make(to: Subject) -> dict[str, Any]:
        body = {"integrationType": "ApplePay", "merchantID": to.merchant_id, "paymentToken": token}
        return body | {name: value(to) if callable(value) else value for name, value in more.items()}

    return make


_HEADER = {"ephemeralPublicKey": "AA==", "publicKeyHash": "AA==", "transactionId": "0" * 64}
_NO_TOKEN = {"version": "EC_v1", "data": "AA==", "signature": "AA==", "header": _HEADER}
_RSA_NO_TOKEN = _NO_TOKEN | {
    "version": "RSA_v1",
    "header": {"wrappedKey": "AA==", "publicKeyHash": "AA==", "transactionId": "0" * 64},
}
_SEPA = {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}}
_CARD = {
    "type": "card",
    "card": {"card_number": "4111111111111111", "brand": "visa", "expiry_month": 12, "expiry_year": 2031},
}


def _real_token(to: Subject) -> Any:
    return to.apple_token


CASES: Sequence[Case] = (
    _token("token", _grant),
    _token("token with an authorization header", _grant, Authorization="Bearer x"),
    _token("token for a wrong secret", lambda to: _grant(to, secret="no-secret")),
    _token("token for another grant", lambda to: _grant(to, grant="password")),
    _token("token without a form", lambda _: ""),
    _session("session to store"),
    _session("session to store, amount 0", amount=0),
    _session("session with an amount as text", amount="1.00"),
    _session("session by authAmount", without=("amount",), authAmount=1),
    _session("session without amount", without=("amount",)),
    _session("session without currency", without=("currency",)),
    _session("session without processPayment", without=("processPayment",)),
    _session("session with a currency in small letters", currency="usd"),
    _session("session with an unknown currency", currency="XXX"),
    _session("session that neither pays nor stores", storePaymentMethod=False),
    _session("session with an unknown member", unknownMember=1),
    _session("session to pay without an account", processPayment=True),
    _session("session for an unknown account", accountId=_NO_ID),
    _session("session with an unknown gateway", paymentGateway=_NO_ID),
    _pay("session to pay"),
    _pay("session to pay once", storePaymentMethod=False),
    _pay("session to pay nothing", amount=0),
    _pay("session to pay less than nothing", amount=-1),
    _pay("session for an account by its number", "account_number", accountId=lambda to: to.account_number),
    _pay("session with a gateway by its id", "gateway_id", paymentGateway=lambda to: to.gateway_id),
    _pay("session with a gateway by its name", "gateway_name", paymentGateway=lambda to: to.gateway_name),
    _pay("session for an unknown invoice", invoices=[{"invoiceNumber": "INV-NONE"}]),
    _pay(
        "session for an invoice",
        "invoice_number",
        "invoice_balance",
        amount=lambda to: float(to.invoice_balance),
        invoices=lambda to: [{"invoiceNumber": to.invoice_number}],
    ),
    _pay(
        "session for an invoice with another sum",
        "invoice_number",
        "invoice_balance",
        amount=lambda to: float(to.invoice_balance) + 1,
        invoices=lambda to: [{"invoiceNumber": to.invoice_number}],
    ),
    _session("session without an access token", headers={"Authorization": None}),
    _session("session with a wrong access token", headers={"Authorization": "Bearer 0"}),
    _session("session with a track id", headers={"Zuora-Track-Id": "parity"}),
    _session("session with a bad track id", headers={"Zuora-Track-Id": "a:b"}),
    _session("session without an entity", "entity", headers={"Zuora-Entity-Ids": None}),
    _post("session from no JSON", SESSIONS, "{"),
    _post("session from an array", SESSIONS, []),
    _post("session by a path with a version", "/v1" + SESSIONS, {}),
    _keyed("one key, one body", {}),
    _keyed("one key, two bodies", {"amount": 2}),
    _post("decryption of nothing", DECRYPTION, {}),
    _post("decryption of no token", DECRYPTION, _decryption(_NO_TOKEN)),
    _post("decryption of no token of version RSA_v1", DECRYPTION, _decryption(_RSA_NO_TOKEN)),
    _post("decryption of a wrapped token", DECRYPTION, _decryption({"paymentData": _NO_TOKEN})),
    _post("decryption of a text", DECRYPTION, _decryption(json.dumps(_NO_TOKEN))),
    _post("decryption for another integration", DECRYPTION, _decryption(_NO_TOKEN, integrationType="GooglePay")),
    _post("decryption for an unknown account", DECRYPTION, _decryption(_NO_TOKEN, accountID=_NO_ID)),
    _post("decryption, old version", DECRYPTION, {}, **{"Zuora-Version": "186.0"}),
    _post(
        "decryption that pays an invoice",
        DECRYPTION,
        lambda to: _decryption(
            _real_token(to),
            processPayment=True,
            accountID=to.account_id,
            invoiceId=to.invoice_number,
            paymentGateway=to.gateway_name,
        )(to),
        "money",
        "apple_token",
        "account_id",
        "invoice_number",
        "gateway_name",
    ),
    _post("method of no type", METHODS, {}),
    _post("method of an unknown type", METHODS, {"type": "none"}),
    _post("method without its object", METHODS, {"type": "card"}),
    _post("method with an unknown member", METHODS, {"type": "card", "unknown_member": 1}),
    _post("method from no JSON", METHODS, "{"),
    _post("method for SEPA", METHODS, _SEPA, "create"),
    _post("method for a card", METHODS, _CARD, "create"),
    _post("v1 method of no type", METHODS_V1, {}),
    _post("v1 method without its fields", METHODS_V1, {"type": "CreditCard"}),
    _post("v1 method, old version", METHODS_V1, {"type": "CreditCard"}, **{"Zuora-Version": "186.0"}),
    _case("unknown method", lambda _: Request(method="GET", path=f"{METHODS}/{_NO_ID}")),
    _case("unknown v1 method", lambda _: Request(method="GET", path=f"{METHODS_V1}/{_NO_ID}")),
    _case("unknown payment", lambda _: Request(method="GET", path=f"/v1/payments/{_NO_ID}")),
    _case("unknown refund", lambda _: Request(method="GET", path=f"/v1/refunds/{_NO_ID}")),
    _case("unknown path", lambda _: Request(method="GET", path="/v1/no-such-path")),
)
"""All cases, in the order in which they are asked: whatever creates or pays comes after what does not."""
