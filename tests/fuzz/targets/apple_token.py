"""Apple Pay tokens as browsers and iOS hand them out."""

import json
from collections.abc import Iterator
from typing import Any

from harness.apple_tokens import mint
from payorch_server.applepay import InvalidTokenError, parse_token
from zuora_emulator.apple_pay import wrap_token

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, note, require


def run(data: bytes) -> None:
    """Parse; what is accepted is forwarded as it came, and parsed again is the same token."""
    try:
        token = parse_token(token_json=data)
    except InvalidTokenError as error:
        note(error, *error.violations)
        require(error.violations, "a refusal names what is wrong")
        return
    # The hash names the merchant's certificate, and may be shown.
    note(repr(token).replace(token.public_key_hash, ""))
    document = _exact(data.decode("utf-8-sig"))
    inner = document.get("paymentData", document)
    require(_exact(token.payment_data_json.decode()) == inner, "the forwarded object is the one that came")
    require(token.payment_data_json in data, "the forwarded text is the one that came")
    again = parse_token(token_json=token.payment_data_json)
    require(again == token, "the forwarded object is the same token")
    require(token.transaction_id == inner["header"]["transactionId"].lower(), "the transaction id is the header's")


def _exact(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, strict=True)


def _seeds() -> Iterator[bytes]:
    inner = mint(application_data=b"order 17")
    wrapped = wrap_token(inner)
    marked = {**wrapped, "paymentMethod": {"displayName": CANARY}}
    for token in (inner, wrapped, marked, {**inner, CANARY: 1e5}, mint(name="other")):
        yield json.dumps(token, separators=(",", ":")).encode()
    yield json.dumps({**inner, "header": {**inner["header"], "ephemeralPublicKey": CANARY}}, indent=1).encode()
    yield f"\ufeff \n{json.dumps(wrapped)}\t".encode()
    yield b'{"paymentData":{},"paymentData":{"header":{"a":1,"a":2}}}'
    yield json.dumps({"token": wrapped, CANARY: CANARY}).encode()
    yield from hard_json()


TARGET = Target(
    "apple_token",
    run,
    _seeds,
    covers=("applepay.token", "applepay.token_json", "applepay.members", "runtime.interpreter_defaults"),
    words=(
        *('"paymentData":', '"paymentMethod":', '"transactionIdentifier":', '"version":"EC_v1"', '"RSA_v1"'),
        *('"data":', '"signature":', '"header":', '"ephemeralPublicKey":', '"publicKeyHash":', '"transactionId":'),
        *('"applicationData":', "null", "{", "}", "[", "]", "\\u0000", "\\ud800", "1e999"),
    ),
    max_bytes=20_000,
)
