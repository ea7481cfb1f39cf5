"""Requests to the emulator, a product of its own: operations of Zuora's and control endpoints."""

import asyncio
import atexit
import gzip
import json
import random
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlencode

from harness.apple_tokens import NOW, mint
from zuora_emulator import Emulator, ManualClock, seed
from zuora_emulator.answers import ConnectionCut, NeverAnswered

from fuzz.hard_json import hard_json
from fuzz.target import Target, require

_EMULATOR: Final = Emulator(clock=ManualClock(NOW), rng=random.Random(1))  # noqa: S311 - repeatable
_LOGIN: Final = urlencode(
    {
        "client_id": seed.CLIENT_A.client_id,
        "client_secret": seed.CLIENT_A.client_secret,
        "grant_type": "client_credentials",
    }
).encode()
_PATIENCE_S: Final = 10.0
_LOOP: Final = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def run(data: bytes) -> None:
    """Send one request to a new world: method and target, header lines, and after a blank line the body.

    `$` in a header stands for a token. No answer is a failure of the emulator's own, and only a fault that was asked
    for ends without one.
    """
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.partition(b" ")
    _EMULATOR.reset()
    token = json.loads(
        _answer("POST", b"/oauth/token", [(b"content-type", b"application/x-www-form-urlencoded")], _LOGIN)[1]
    )
    headers = [
        (name.strip().lower(), value.replace(b"$", token["access_token"].encode()))
        for name, _, value in (line.partition(b": ") for line in lines)
        if name.strip()
    ]
    try:
        status, answer = _answer(method.decode("latin-1") or "GET", target or b"/", headers, body)
    except (ConnectionCut, NeverAnswered):
        return
    require(100 <= status < 600, "an answer has a status")
    require(status != 500 or answer.startswith(b"{"), "a failure is one of Zuora's")


def _answer(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, bytes]:
    """Return the answer to a request."""
    path, _, query = target.partition(b"?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": _unquoted(path),
        "raw_path": path,
        "root_path": "",
        "scheme": "http",
        "query_string": query,
        "headers": [(b"host", b"zuora"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("zuora", 80),
    }
    received: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": body, "more_body": False}])
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return next(received, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    _LOOP.run_until_complete(asyncio.wait_for(_EMULATOR.app(scope, receive, send), _PATIENCE_S))
    status = next(message["status"] for message in sent if message["type"] == "http.response.start")
    return status, b"".join(message.get("body", b"") for message in sent)


def _unquoted(path: bytes) -> str:
    return unquote_to_bytes(path).decode(errors="replace")


_HEAD: Final = (
    b"authorization: Bearer $\nzuora-version: 2025-08-12\nzuora-entity-ids: "
    + seed.ENTITY_US.encode()
    + b"\nidempotency-key: key-1\nzuora-track-id: t-1\ncontent-type: application/json"
)


def _request(line: str, body: Any = None, *more: bytes) -> bytes:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return b"\n".join((line.encode(), _HEAD, *more)) + b"\n\n" + raw


def _seeds() -> Iterator[bytes]:
    yield b"POST /oauth/token\ncontent-type: application/x-www-form-urlencoded\n\n" + _LOGIN
    session = {"currency": "USD", "amount": 10.5, "processPayment": True, "accountId": seed.ACCOUNT_US.id}
    yield _request("POST /web-payments/sessions", session)
    yield _request(
        "POST /v1/payment-methods/decryption",
        {
            "integrationType": "ApplePay",
            "merchantID": "merchant.example.payorch",
            "paymentToken": mint(),
            "processPayment": False,
            "accountID": seed.ACCOUNT_US.id,
        },
    )
    debit = {"IBAN": "DE89370400440532013000", "mandate": {"id": "m"}}
    method = {"type": "sepa_debit", "account_id": seed.ACCOUNT_US.id, "sepa_debit": debit}
    yield _request("POST /v2/payment_methods?fields[]=id,type&expand[]=account&page_size=5", method)
    yield _request(
        "POST /v2/payment_methods", gzip.compress(json.dumps(method).encode(), mtime=0), b"content-encoding: gzip"
    )
    google = {
        "type": "AdyenGooglePay",
        "accountKey": seed.ACCOUNT_US.id,
        "googlePaymentToken": "{}",
        "email": "a@b.test",
    }
    yield _request("POST /v1/payment-methods", google)
    yield _request("GET /v2/payment_methods?filter[]=account_id.EQ:1&cursor=x&sort[]=id.ASC")
    yield _request("PATCH /v2/payment_methods/1", {"state": "closed"})
    payment = {"accountId": seed.ACCOUNT_US.id, "amount": 1.5, "currency": "USD", "type": "Electronic"}
    yield _request("POST /v1/payments", payment, b"prefer: respond-async")
    yield _request("POST /v1/payments/1/refunds", {"totalAmount": 1})
    for path in (
        "",
        "/",
        "/faults",
        "/clock",
        "/journal?limit=-1",
        "/settings",
        "/fixtures",
        "/openapi.json",
        "/ledger",
        "/page",
    ):
        yield _request(f"GET /_emulator{path}")
    yield _request("POST /_emulator/faults", {"fault": "sessions:500", "times": 1})
    yield _request("POST /_emulator/clock", {"advance_s": 1e308})
    yield _request("PATCH /_emulator/settings", {"async_payment_methods": True})
    for path in ("/web-payments/sessions", "/_emulator/faults", "/v2/payment_methods"):
        yield from (_request(f"POST {path}", text) for text in hard_json())


TARGET = Target(
    "emulator_request",
    run,
    _seeds,
    covers=(),
    words=(
        *("POST /", "GET /", "PATCH /", "/_emulator/", "/v1/payment-methods", "/v2/payment_methods", "/v1/payments/"),
        *("fields[]=", "expand[]=", "filter[]=", "page_size=", "cursor=", "%00", "%ff", "\n\n", "idempotency-key: "),
        *('"amount":', '"invoices":[{"invoiceNumber":', '"times":', '"advance":', "1e999", "NaN", "null", "[", "{"),
        *("zuora-entity-ids: ", "zuora-org-ids: ", "content-encoding: gzip", "$"),
    ),
    has_secrets=False,  # test data
)
