"""Reads a JSON object of a stranger: bounded, exact in its numbers, and aware of members that occur twice."""

import re
from typing import Final, TypeAlias

import msgspec

from payorch_server.runtime.interpreter_defaults import is_nested_deeper
from payorch_server.upc.request import Defect, FieldValue, JsonNumber

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 16
MAX_TEXTS: Final = 20_000
_MAX_NUMBER: Final = 100
_QUOTE: Final = ord('"')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# The first alternative is a whole pair of surrogates, the second half a pair, the third every other escape.
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_NUL: Final = b"\\u0000"
_STRING: Final = msgspec.json.Decoder(str)
_WORDS: Final[dict[bytes, bool | None]] = {b"true": True, b"false": False, b"null": None}

RawValue: TypeAlias = bytes
"""A JSON value, verbatim."""


class Unusable(Exception):  # noqa: N818 - it ends the reading, and is no fault of ours
    """A body, or a member of it, that cannot be acted on."""

    def __init__(self, defect: Defect, member: str = "") -> None:
        super().__init__(defect)
        self.defect = defect
        self.member = member


class _Name:
    """Name of a member. Two of them are never equal, so that a dictionary keeps a member that occurs twice."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _named(_kind: type, text: str) -> _Name:
    return _Name(text)


_OBJECT: Final = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=_named)


def parse_body(body: bytes) -> tuple[list[tuple[str, RawValue]], bool]:
    """Return the members of a body in their order, and whether all of its texts are whole.

    Half a pair of surrogates, which is no character, is read as NUL, which no text of ours may hold either.

    Raises:
        Unusable: It is too large, too deep, or no JSON object in UTF-8.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Unusable(Defect.TOO_LARGE)
    whole = _without_half_pairs(body) if b"\\u" in body else body
    return parse_object(whole.removeprefix(_BYTE_ORDER_MARK)), whole is body


def parse_object(text: bytes) -> list[tuple[str, RawValue]]:
    """Return the members of an object in their order.

    Raises:
        Unusable: It is too deep, or no JSON object in UTF-8.
    """
    # 1. The work below is bounded. Each text has two quotes, and each member a text.
    if text.count(b'"') > 2 * MAX_TEXTS:
        raise Unusable(Defect.TOO_MANY_TEXTS)
    # 2. The parser calls itself for every level.
    if is_nested_deeper(text, levels=MAX_DEPTH):
        raise Unusable(Defect.TOO_DEEP)
    # 3. What is skipped below is not decoded there.
    try:
        text.decode()
    except UnicodeDecodeError:
        raise Unusable(Defect.NOT_JSON) from None
    return members_of(text)


def members_of(text: bytes) -> list[tuple[str, RawValue]]:
    """Return the members of an object in their order; its depth and its UTF-8 have been checked.

    Raises:
        Unusable: It is no JSON object.
    """
    try:
        return [(name.text, bytes(value)) for name, value in _OBJECT.decode(text).items()]
    except msgspec.DecodeError:
        raise Unusable(Defect.NOT_JSON) from None


def members_in(value: RawValue) -> list[tuple[str, RawValue]]:
    """Return the members of an object, or of one that is written into a text; its own UTF-8 has been checked.

    Raises:
        Unusable: It is neither, or the object in the text is too deep.
    """
    return parse_object(_STRING.decode(value).encode()) if value[0] == _QUOTE else members_of(value)


def text_of(value: RawValue, *, most: int) -> str | None:
    """Return a text of 0 to so many characters, none of them NUL; None for every other value."""
    if value[0] != _QUOTE:
        return None
    text = _STRING.decode(value)
    return text if len(text) <= most and "\0" not in text else None


def field_of(value: RawValue, *, most: int) -> FieldValue:
    """Return a value that is no object or array, a text of at most so many characters.

    Raises:
        Unusable: It is another value.
    """
    text = text_of(value, most=most)
    if text is not None:
        return text
    if value in _WORDS:
        return _WORDS[value]
    if value[0] in b"-0123456789" and len(value) <= _MAX_NUMBER:
        return JsonNumber(value.decode())
    raise Unusable(Defect.MEMBER_INVALID)


def _without_half_pairs(body: bytes) -> bytes:
    whole = _ESCAPE.sub(lambda found: _NUL if found[1] else found[0], body)
    return body if whole == body else whole
