"""JSON read so that the text of a member can be forwarded unchanged.

Apple signs the members and Zuora may know more of them than this service does, so nothing of the forwarded object is
rewritten: not its numbers, not its escapes, not the order of its members.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from payorch_server.applepay.violation import TokenRule, TokenViolation
from payorch_server.runtime.interpreter_defaults import MAX_JSON_DEPTH, is_nested_deeper

_WHITE_SPACE: Final = " \t\n\r"
_SKIP_WHITE_SPACE: Final = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True, repr=False)
class TokenJson:
    """A parsed JSON object.

    Attributes:
        text: Without white space around it.
        members: Their values. Every number is 0: no number of a token means anything here, only its text is kept.
        repeated: The objects, at any depth, in which a member name occurs twice.
    """

    text: str
    members: dict[str, Any]
    repeated: tuple[dict[str, Any], ...]


def read_token_json(encoded: bytes) -> TokenJson | TokenViolation:
    """Return the document, or what keeps it from being one; no parser's error leaves, since it would hold the text."""
    try:
        # A byte order mark in front is no part of the text.
        text = encoded.decode("utf-8-sig").strip(_WHITE_SPACE)
    except UnicodeDecodeError:
        return TokenViolation("", TokenRule.NOT_UTF8, "token_json must be UTF-8")
    if is_nested_deeper(encoded):
        description = f"token_json must be one JSON text, nested at most {MAX_JSON_DEPTH} levels deep"
        return TokenViolation("", TokenRule.INVALID_JSON, description)
    repeated: list[dict[str, Any]] = []

    def note_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            repeated.append(members)
        return members

    try:
        value = json.loads(
            text,
            object_pairs_hook=note_repeated,
            parse_int=_zero,
            parse_float=_zero,
            parse_constant=_refuse_constant,
        )
    except ValueError:
        return TokenViolation("", TokenRule.INVALID_JSON, "token_json must be one JSON text")
    if isinstance(value, dict):
        return TokenJson(text=text, members=value, repeated=tuple(repeated))
    kind = ", not a JSON string of it" if isinstance(value, str) else ""
    return TokenViolation("", TokenRule.WRONG_TYPE, f"token_json must be the JSON object{kind}")


def member_text(text: str, name: str) -> str:
    """Return the text of a member's value, as it came.

    Args:
        text: A valid JSON object without white space before it, no member of which occurs twice.
        name: One of its members.
    """
    at = _skip(text, len("{"))
    while True:
        found, at = _SCANNER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + len(":"))
        _, end = _SCANNER.raw_decode(text, start)
        if found == name:
            return text[start:end]
        at = _skip(text, _skip(text, end) + len(","))


def _skip(text: str, at: int) -> int:
    match = _SKIP_WHITE_SPACE.match(text, at)
    return at if match is None else match.end()


def _zero(_: str) -> int:
    # Converting would round, and refuses integers of more than 4300 digits.
    return 0


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_SCANNER: Final = json.JSONDecoder(parse_int=_zero, parse_float=_zero)
