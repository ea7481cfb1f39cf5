"""Zuora's answers to every operation, from the header lines to the result or the error."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from payorch_server.model.attempt import UpstreamFacts, ZuoraReply
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome
from payorch_server.model.secret import Secret
from payorch_server.zuora.answer_body import read_body
from payorch_server.zuora.clock_offset import read_clock
from payorch_server.zuora.content_coding import decompress
from payorch_server.zuora.errors import classify
from payorch_server.zuora.messages import Damage, HttpResponse
from payorch_server.zuora.quota import Quota
from payorch_server.zuora.quotes import Quotes
from payorch_server.zuora.resources import decryption, payment_methods, payment_methods_v1, sessions
from payorch_server.zuora.response_headers import header_fields
from payorch_server.zuora.settings import DeclineSettings

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, note, require

_MAX_BYTES: Final = 65_536
_SENT: Final[Mapping[str, Any]] = {
    "paymentToken": Secret(msgspec.Raw(json.dumps({"data": CANARY}).encode())),
    "cardHolderInfo": {"cardHolderName": Secret(f"Ann {CANARY}"), "zipCode": Secret("90210-1234")},
}
"""The secrets of a request, which answers may quote."""
_DECLINES: Final = (DeclineSettings("53000060", "Transaction declined."),)
_PARSERS: Final[Mapping[str, Callable[[ZuoraReply], object]]] = {
    "sessions": sessions.parse,
    "decryption": lambda reply: decryption.parse(reply, pays=True),
    "payment_methods": payment_methods.parse,
    "payment_methods_v1": lambda reply: payment_methods_v1.parse(reply, requested_type="custom"),
}
_OPERATIONS: Final = tuple(_PARSERS)


def run(data: bytes) -> None:
    """Read an answer.

    A byte chooses operation and damage; then come the status, header lines, and after a blank line the body.
    """
    operation, damage, answer = _answer(data)
    body = read_body(answer)
    quotes = Quotes(_SENT)
    failed = classify(answer, body, UpstreamFacts(), operation=operation, quotes=quotes, declines=_DECLINES)
    _read_headers(answer)
    if failed is not None:
        shown = quotes.mask_error(failed)
        note(shown, shown.failure)
        _check_error(shown, answer, damage)
        return
    require(200 <= answer.status < 300 and answer.status != 202, "success needs a status of success")
    require(damage is None, "a damaged answer is no success")
    reply = ZuoraReply(answer.status, body.members)
    try:
        result = _PARSERS[operation](reply)
    except CallError as error:
        note(error)
        require(error.verdict.outcome is Outcome.UNKNOWN, "a success that lacks its result is in doubt")
        return
    # The other results have ids, which the caller needs as they are.
    if operation == "sessions":
        note(repr(result))


def _answer(data: bytes) -> tuple[str, Damage | None, HttpResponse]:
    choice = data[0] if data else 0
    head, _, sent = data[1:].partition(b"\n\n")
    status_line, *lines = head.split(b"\n")
    pairs = [line.partition(b": ")[::2] for line in lines]
    headers = header_fields(pairs)
    plain, undecoded = decompress(sent, headers.get("content-encoding", ""), max_bytes=_MAX_BYTES)
    require(len(plain) <= max(_MAX_BYTES, len(sent)), "a body has a bound")
    wanted = (*Damage, None, None, None)[choice // len(_OPERATIONS) % (len(Damage) + 3)]
    status = int(status_line[:3]) if status_line[:3].isdigit() else 200
    damage = wanted or undecoded
    return _OPERATIONS[choice % len(_OPERATIONS)], damage, HttpResponse(status, headers, plain, damage)


def _read_headers(answer: HttpResponse) -> None:
    quota = Quota()
    quota.update(("t", ""), answer.headers, now_s=0.0)
    quota.left(now_s=1.0)
    read_clock(answer, received_at_s=1.0, duration_s=0.5)


def _check_error(error: CallError, answer: HttpResponse, damage: Damage | None) -> None:
    outcome = error.verdict.outcome
    evidence = error.failure.evidence
    names_something = bool(evidence.payment_method_id or evidence.payment_id)
    require(outcome is not Outcome.SUCCEEDED, "an error is no success")
    if names_something:
        require(outcome in {Outcome.UNKNOWN, Outcome.PARTIAL}, "what exists was neither refused nor not sent")
    if damage is not None:
        require(outcome in {Outcome.UNKNOWN, Outcome.PARTIAL, Outcome.NOT_SENT}, "a damaged answer refuses nothing")
    if damage is not None and 200 <= answer.status < 300:
        require(outcome is Outcome.UNKNOWN, "a damaged success is in doubt")
    wait_s = evidence.retry_after_s
    require(wait_s is None or 0 <= wait_s <= 86_400, "a wait has bounds")


def _seeds() -> Iterator[bytes]:
    bodies: list[tuple[int, Any]] = [
        (200, {"token": "a" * 32}),
        (200, {"success": True, "paymentMethodId": "8ad0", "paymentId": "8ad1", "amount": "12.34"}),
        (201, {"id": "8ad2", "type": "card", "state": "active", "card": {"last_4": "1111", "expiry_month": 12.0}}),
        (200, {"success": True, "id": "8ad3"}),
        (200, {"success": False, "processId": "P1", "reasons": [{"code": 53000060, "message": f"no {CANARY}"}]}),
        (400, {"type": "card_error", "errors": [{"code": "bad_request", "message": f"{CANARY} is wrong"}], "id": "x"}),
        (500, {"faultcode": "fns:x", "faultstring": CANARY}),
        (429, {"message": "too many", "code": "too_many_requests"}),
    ]
    lines = b"content-type: application/json; charset=utf-8\nzuora-request-id: r1\ndate: Fri, 20 Nov 2026 12:00:00 GMT"
    for index, (status, body) in enumerate(bodies):
        yield b"%c%d\n%s\nratelimit-remaining: 5\nretry-after: 3\n\n%s" % (
            12 * len(_OPERATIONS) // 2 + index % 4,
            status,
            lines,
            json.dumps(body).encode(),
        )
    packed = gzip.compress(b'{"success":false,"id":"8ad4"}', mtime=0)
    yield b"\x1c200\ncontent-encoding: gzip\n\n" + packed
    yield b"\x00200\n\n" + packed[:-4]
    yield b"\x1d503\ncontent-type: text/html\nretry-after: Fri, 20 Nov 2026 12:00:09 GMT\n\n<html>"
    yield b"\x1d400\ncontent-type: application/json; charset=utf-16\n\n" + '{"code":"x","message":"ü"}'.encode("utf-16")
    yield from (b"\x1c200\n\n" + text for text in hard_json())


TARGET = Target(
    "zuora_answer",
    run,
    _seeds,
    covers=(
        *("zuora.answer_body", "zuora.errors", "zuora.messages", "zuora.error_texts", "zuora.quotes", "zuora.quota"),
        *(
            "zuora.content_coding",
            "zuora.response_headers",
            "zuora.clock_offset",
            "zuora.resources._payment_method_view",
        ),
    ),
    words=(
        *('"success":', "false", "true", '"reasons":[{"code":', '"errors":[', '"message":', '"paymentMethodId":'),
        *(
            '"paymentId":',
            '"id":',
            '"type":',
            '"code":',
            '"processId":',
            "53000060",
            "Transaction declined.",
            "1e999999",
        ),
        *("content-encoding: gzip", "deflate", "charset=", "utf-16", "retry-after: ", "date: ", "Fri, 20 Nov 2026"),
        *("\\ud800", "&#67;", "%43", "Q0FOQVJZN2YzYQ", "43414e41525937663361", "null", "\n\n"),
    ),
    max_bytes=8192,
)
