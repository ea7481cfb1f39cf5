"""Texts in which the log masks what looks like a secret; all of them may be anyone's."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from payorch_server.model.card_numbers import without_card_numbers
from payorch_server.model.secret import Secret
from payorch_server.model.sensitive_text import is_suspect, scrub_text
from payorch_server.model.shown_forms import shown_code, shown_id, shown_track_id
from payorch_server.telemetry.scrubber import scrub
from payorch_server.telemetry.terminal_lines import terminal_line
from payorch_server.zuora.quotes import Quotes

from fuzz.target import Target, require

_NUMBER: Final = "4111111111111111"
_NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
_CARD: Final = re.compile(rf"(?<![0-9A-Za-z%.+-]){_NUMBER}(?![0-9A-Za-z%.+-])")
"""The published number of a test card, as a word of its own."""
_QUOTES: Final = Quotes({"a": Secret("Ann Miller 90210"), "t": Secret(msgspec.Raw(b'{"data":"c2VjcmV0LXRleHQ"}'))})


def run(data: bytes) -> None:
    """Mask a text; what is masked stays masked, and no card number is left."""
    text = data.decode(errors="replace")
    masked = scrub_text(text)
    require(not _CARD.search(masked), "no card number is left")
    require(is_suspect(text) or masked == text, "what is not suspect stays as it is")
    require(scrub_text(masked) == masked or "%" in masked, "what is masked stays as it is")
    without_card_numbers(text)
    shown_code(text), shown_id(text), shown_track_id(text)
    quoted = _QUOTES.mask_text(text)
    require("Miller" not in quoted and "90210" not in quoted, "what is quoted is masked")
    require(_QUOTES.mask_id(text) in {text, "[masked]"}, "an id is shown or masked")
    head = {"timestamp": _NOW, "level": "info", "event": "e"}
    line = terminal_line({**head, **scrub({"detail": text})}, colours=False)
    require(not _CARD.search(line), "no card number is in the log")


def _seeds() -> Iterator[bytes]:
    for text in (
        f"card {_NUMBER}, 4111 1111 1111 1111 and 4111-1111-1111-1111",
        "IBAN DE89 3704 0044 0532 0130 00 or BE71096123456769",
        "Bearer abcdefgh.ijklmnop eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        '{"client_secret": "x", \\"password\\": \\"y\\"} api_key=z&token=1',
        "ann@example.test %34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31",
        "Ann Miller, 9-0-2-1-0, TWlsbGVy, 4d696c6c6572, relliM, &#77;iller, \\u004diller, M%69ller",
        "1" * 400,
        "4 1 1 1 " * 90,
        "a" * 40 + "@" * 40,
        "AB12" + " 0A" * 60,
        "%25" * 90,
    ):
        yield text.encode()


TARGET = Target(
    "scrubbed_text",
    run,
    _seeds,
    covers=(
        "model.sensitive_text",
        "model.card_numbers",
        "telemetry.scrubber",
        "telemetry.terminal_lines",
        "zuora.quotes",
    ),
    words=(
        _NUMBER,
        "Miller",
        "90210",
        "TWlsbGVy",
        "%4d",
        "\\u004d",
        "&#77;",
        "@",
        "DE89",
        "eyJ",
        "bearer ",
        "secret=",
        "\u200b",
    ),
    max_bytes=2048,
    has_secrets=False,  # what looks like a secret is masked, and the canary does not
)
