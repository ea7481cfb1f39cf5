"""Answers of Zuora's token endpoint."""

import json
import re
from collections.abc import Iterator
from typing import Final

from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome
from payorch_server.zuora.messages import HttpResponse
from payorch_server.zuora.response_headers import header_fields
from payorch_server.zuora.token_answers import read_token, refuse_emulator

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, note, require

_TOKEN_URL: Final = "https://rest.zuora.com/oauth/token"
_TOKEN: Final = re.compile(r"[!-~]+")


def run(data: bytes) -> None:
    """Read an answer: a status, header lines, and after a blank line the body."""
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.split(b"\n")
    headers = header_fields([line.partition(b": ")[::2] for line in lines])
    answer = HttpResponse(int(status[:3]) if status[:3].isdigit() else 200, headers, body)
    try:
        refuse_emulator(_TOKEN_URL, answer)
        token, life_s = read_token(answer)
    except CallError as error:
        note(error, error.failure)
        require(error.verdict.outcome is Outcome.NOT_SENT, "without a token nothing is sent")
        return
    require(answer.status == 200 and "zuora-emulator" not in headers, "only a 200 of Zuora's has a token")
    require(_TOKEN.fullmatch(token), "a token can stand in a header")
    require(0 < life_s <= 86_400, "a life has bounds")


def _seeds() -> Iterator[bytes]:
    good = {"access_token": CANARY, "token_type": "bearer", "expires_in": 3598, "scope": "a b", "jti": CANARY}
    for status, body in (
        (b"200", good),
        (b"200", {**good, "expires_in": "3.5e3"}),
        (b"200", {"access_token": [CANARY]}),
        (b"401", {"reason": CANARY}),
    ):
        yield status + b"\ncontent-type: application/json\nretry-after: 5\n\n" + json.dumps(body).encode()
    yield b"200\nzuora-emulator: 1\n\n" + json.dumps(good).encode()
    yield from (b"200\n\n" + text for text in hard_json())


TARGET = Target(
    "token_answer",
    run,
    _seeds,
    covers=("zuora.token_answers",),
    words=(
        '"access_token":',
        '"expires_in":',
        "zuora-emulator: ",
        "retry-after: ",
        "1e400",
        "-1",
        "NaN",
        "\\ud800",
        "\n\n",
    ),
)
