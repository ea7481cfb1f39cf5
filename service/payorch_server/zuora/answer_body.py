"""The body of an answer, read as far as it can be trusted.

A body that is complete, once what proxies and other people's JSON writers do to it is repaired, is read normally: byte
order marks, UTF-16 and UTF-32, other charsets, halves of surrogate pairs, control characters, NaN. Of a body that is
not complete, is not what it claims to be, or gives two values to a member that decides, nothing but ids is read.
"""

import codecs
import enum
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from payorch_server.runtime.interpreter_defaults import is_nested_deeper
from payorch_server.zuora.messages import HttpResponse, JsonObject, decode_json

# Charsets that may be declared for a body that is not UTF-8, by the names of Python's codecs. The other codecs of
# Python's are not all charsets.
_CHARSETS: Final = frozenset(
    {"ascii", "cp1252", "iso8859-1", "iso8859-15", "utf-16", "utf-16-be", "utf-16-le", "utf-32"}
)
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._:-]+)", re.IGNORECASE)
_AROUND: Final = "\ufeff\0 \t\r\n"
_UTF_8: Final = "utf-8"
# A string, punctuation, a quote whose string has no end, or any other value.
_LEXEME: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,"]|[^\s{}\[\]:,"]+', re.DOTALL)
_BRACKETS: Final = {"{": 1, "[": 1, "}": -1, "]": -1}
_OPEN_STRING: Final = '"'
_SEPARATORS: Final = {":": True, ",": False}
_ID: Final = re.compile(r'"([0-9A-Za-z_-]{1,64})"')
_IDS: Final = frozenset({"id", "paymentId", "paymentMethodId", "processId"})
_SUCCESS: Final = "success"
# The members that decide what an answer means, or what exists.
_DECIDING: Final = (
    *("success", "Success", "reasons", "errors", "Errors", "faultcode", "code", "type", "message"),
    *("id", "paymentId", "paymentMethodId", "processId", "token"),
)
_FALSE: Final = frozenset({"false", '"false"'})


class Form(enum.Enum):
    """What a body turned out to be."""

    OBJECT = enum.auto()
    """A complete JSON object."""
    OTHER = enum.auto()
    """Complete, but no JSON object: nothing, a page, plain text, another JSON value."""
    BROKEN = enum.auto()
    """Incomplete, not what it claims to be, or with two values of a member that decides."""


@dataclass(frozen=True, slots=True)
class AnswerBody:
    """What an answer's body says."""

    form: Form
    members: JsonObject = field(default_factory=dict, repr=False)
    """Of an object all, fractional numbers as Decimal; of a broken body legible ids, and `success` if it is false."""


def read_body(answer: HttpResponse) -> AnswerBody:
    """Return what an answer's body says."""
    # 1. It did not arrive in full.
    if answer.damage is not None:
        return AnswerBody(Form.BROKEN, _legible_ids(_text(answer)))
    # 2. JSON as it should be, and JSON after repair.
    found, value = decode_json(answer.body)
    text = answer.body.decode(errors="replace") if found else _text(answer)
    if not found:
        found, value = _repaired(text)
    if found and not isinstance(value, dict):
        return AnswerBody(Form.OTHER)
    if found and not _is_ambiguous(text):
        return AnswerBody(Form.OBJECT, value)
    # 3. A page or a text, or what is left of JSON.
    if not found and _is_plain(text, answer.headers.get("content-type", "")):
        return AnswerBody(Form.OTHER)
    return AnswerBody(Form.BROKEN, _legible_ids(text))


def read_object(answer: HttpResponse) -> JsonObject | None:
    """Return the complete JSON object in an answer's body, or None if there is none."""
    body = read_body(answer)
    return body.members if body.form is Form.OBJECT else None


def _text(answer: HttpResponse) -> str:
    """Return the body as text; bytes that are none become U+FFFD, which is no part of JSON's structure."""
    encoding: str = json.detect_encoding(answer.body)
    if encoding == _UTF_8:
        encoding = _declared_charset(answer.headers.get("content-type", ""))
    for errors in ("strict", "surrogatepass", "replace"):
        try:
            return answer.body.decode(encoding, errors)
        except UnicodeError:
            continue
    return ""


def _declared_charset(content_type: str) -> str:
    declared = _CHARSET.search(content_type)
    try:
        name = codecs.lookup(declared[1]).name if declared else _UTF_8
    except LookupError:
        return _UTF_8
    return name if name in _CHARSETS else _UTF_8


def _repaired(text: str) -> tuple[bool, Any]:
    """Return whether the text is JSON, and its value without halves of surrogate pairs, which cannot be encoded."""
    if is_nested_deeper(text.encode(errors="replace")):
        return False, None
    try:
        value = json.loads(text.strip(_AROUND), strict=False, parse_float=Decimal, parse_constant=lambda _name: None)
        return True, _whole(value)
    # Not only text that is no JSON: also numbers beyond Decimal's range.
    except (ValueError, ArithmeticError):
        return False, None


def _is_ambiguous(text: str) -> bool:
    """Return whether a member that decides occurs twice in the outermost object, with different values."""
    # Nearly no answer has two of them even in inner objects, and is read a second time.
    names = [name for name in _DECIDING if text.count(f'"{name}"') > 1]
    if not names:
        return False
    try:
        members = json.loads(text.strip(_AROUND), strict=False, parse_float=str, object_pairs_hook=list)
    # Numbers beyond the interpreter's.
    except ValueError:
        return True
    # As text, since True equals 1.
    return any(len({repr(value) for member, value in members if member == name}) > 1 for name in names)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(member) for name, member in value.items()}
    return value


def _is_plain(text: str, content_type: str) -> bool:
    """Return whether a text that is not JSON was not meant to be, and is legible."""
    start = text.strip(_AROUND)[:1]
    if start in {"", "<"}:
        return True
    return start not in {"{", "[", '"'} and "json" not in content_type.lower() and "\ufffd" not in text


def _legible_ids(text: str) -> JsonObject:
    """Return the ids among the members of the outermost object, and `success` if it is false."""
    found: dict[str, Any] = {}
    for name, value in _outer_members(text):
        if name in _IDS and (an_id := _ID.fullmatch(value)):
            found.setdefault(name, an_id[1])
        elif name == _SUCCESS and value.lower() in _FALSE:
            found[_SUCCESS] = False
    return found


def _outer_members(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each plain value of the outermost object, up to where the object breaks off."""
    depth, name, is_value = 0, "", False
    if not text.lstrip(_AROUND).startswith("{"):
        return
    for match in _LEXEME.finditer(text):
        lexeme = match.group()
        if lexeme in _BRACKETS:
            depth += _BRACKETS[lexeme]
        elif lexeme == _OPEN_STRING:
            return
        elif depth == 1 and lexeme in _SEPARATORS:
            is_value = _SEPARATORS[lexeme]
        elif depth == 1 and is_value:
            yield name, lexeme
        elif depth == 1:
            name = lexeme.strip('"')
