"""Searching what was written for a value, in every form in which it is commonly written."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_plus

from canary.canaries import Canary

_SHORT_DIGITS = 12
_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Hit:
    """A leak."""

    sink: str
    where: str
    form: str

    def __str__(self) -> str:
        """Name it for a report."""
        return f"{self.where} in {self.sink} as {self.form}"


ALLOWED: Mapping[str, str] = {"preview": "(key)", "status": "(key)", "client error": "(key)", "log": "private text"}
"""How the names of canaries end that a sink may hold. Names of custom fields and options are the caller's own, so what
is told to the caller alone may hold them; and the log is the place of texts for operators."""


class Sinks:
    """What was written, by the name of where."""

    def __init__(self) -> None:
        self.written: dict[str, bytearray] = {}
        self._seen: set[tuple[str, bytes]] = set()

    def add(self, sink: str, *pieces: object) -> None:
        """Add what was written to a sink; what is no text is taken as it is represented."""
        told = self.written.setdefault(sink, bytearray())
        for piece in pieces:
            encoded = piece if isinstance(piece, bytes) else str(piece).encode(errors="replace")
            if (sink, encoded) not in self._seen:
                self._seen.add((sink, encoded))
                told += encoded + b"\n"

    def __getitem__(self, sink: str) -> bytes:
        """Return what was written to a sink."""
        return bytes(self.written[sink])


def hits(canaries: Iterable[Canary], sinks: Sinks) -> set[Hit]:
    """Return every leak."""
    wanted = list(canaries)
    found = set()
    for sink, written in sinks.written.items():
        told = _Searched(bytes(written))
        for canary in wanted:
            if not canary.where.endswith(ALLOWED.get(sink, "\0")):
                found |= {Hit(sink, canary.where, form) for form in _forms_in(canary.value, told)}
    return found


def beginnings(hit: Hit, canaries: Iterable[Canary], sinks: Sinks) -> list[str]:
    """Return how the lines of a leak begin, up to a parenthesis: a representation begins with the name of its class."""
    values = [canary.value for canary in canaries if canary.where == hit.where]
    lines = {
        line
        for line in sinks[hit.sink].split(b"\n")
        if any(hit.form in _forms_in(value, _Searched(line)) for value in values)
    }
    return sorted({line[:_NAME_LENGTH].partition(b"(")[0].decode(errors="replace") for line in lines})


class _Searched:
    """A text, with what is compared with it."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.lower = text.lower()
        self.digits = re.sub(rb"[^0-9A-Za-z]", b"", text)


def is_long_number(value: str) -> bool:
    """Tell whether a value is found by its digits, whatever stands between them."""
    return value.isdigit() and len(value) >= _SHORT_DIGITS


def _forms_in(value: str, told: _Searched) -> Iterator[str]:
    folded, exact = forms(value)
    if value.isdigit() and len(value) < _SHORT_DIGITS:
        # Within longer numbers and in random ids so few digits occur by chance.
        if re.search(rb"(?<![0-9A-Fa-f])" + value.encode() + rb"(?![0-9A-Fa-f])", told.text):
            yield "text"
    else:
        yield from (form for form, text in folded if text in told.lower)
    yield from (form for form, text in exact if text in told.text)
    if is_long_number(value) and value.encode() in told.digits:
        yield "digits in groups"


@cache
def forms(value: str) -> tuple[tuple[tuple[str, bytes], ...], tuple[tuple[str, bytes], ...]]:
    """Return the forms of a value: those to be found in lower-case text, and those whose case matters."""
    folded = {
        quote_plus(value).lower().encode(): "a form",
        quote(value, safe="").lower().encode(): "a URL",
        quote(value).lower().encode(): "a path",
        value.encode().hex().encode(): "hex",
        json.dumps(value)[1:-1].lower().encode(): "JSON",
        json.dumps(value, ensure_ascii=False)[1:-1].encode().lower(): "JSON",
        value[::-1].encode().lower(): "reversed",
        "".join(f"%{byte:02x}" for byte in value.encode()).encode(): "percent-encoded letters",
        value.encode().lower(): "text",
    }
    exact = {
        part: "Base64"
        for text in (value, value.lower(), value.upper())
        for shift in range(3)
        for part in _base64_parts(text.encode(), shift)
    }
    return tuple((form, one) for one, form in folded.items()), tuple((form, one) for one, form in exact.items())


def _base64_parts(value: bytes, shift: int) -> Iterator[bytes]:
    """Yield the characters that stand for a value wherever it begins, without those that it shares with neighbours."""
    whole = bytes(shift) + value
    first, last = -(-shift * 8 // 6), len(whole) * 8 // 6
    for encoded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        yield encoded[first:last]
