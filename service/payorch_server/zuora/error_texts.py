"""The codes and messages in an answer of Zuora's, and what operators may read of them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from payorch_server.model.shown_forms import MASKED
from payorch_server.zuora.messages import HttpResponse, JsonObject, text_of, whole_number
from payorch_server.zuora.quotes import Quotes

_MAX_DETAIL_CHARACTERS: Final = 400
_SMALLEST_CODE: Final = 10_000_000
# Words with an address or five digits and more, except Zuora's own codes in front.
_PERSONAL: Final = re.compile(r"(?<=\s)(?:\S*@\S*|\S*(?:\d\S*){5,})")
_LONG_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])\d(?:[ -]?\d){11,}(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One code with its message, which may quote the request."""

    code: str = field(repr=False)
    message: str = field(repr=False)


def error_texts(payload: JsonObject) -> Iterable[ErrorText]:
    """Yield the codes and messages of every form that Zuora's layers use."""
    for member in ("reasons", "errors", "Errors"):
        listed = payload.get(member)
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, Mapping):
                code, message = entry.get("code", entry.get("Code")), entry.get("message", entry.get("Message"))
                yield ErrorText(_code_text(code), text_of(message))
    if isinstance(payload.get("type"), str) and ("errors" in payload or "message" in payload):
        yield ErrorText(payload["type"], "")
    if "code" in payload or ("message" in payload and "reasons" not in payload):
        yield ErrorText(_code_text(payload.get("code")), text_of(payload.get("message")))
    if payload.get("faultcode"):
        yield ErrorText(text_of(payload["faultcode"]), text_of(payload.get("faultstring")))


def _code_text(code: object) -> str:
    """Return a code as text; one of eight digits that is written 53000020.0 is the code 53000020."""
    whole = whole_number(code)
    return text_of(code if whole is None or whole < _SMALLEST_CODE else whole)


def mask_quotes(quotes: Quotes, texts: Iterable[ErrorText]) -> tuple[ErrorText, ...]:
    """Return the texts without what they quote of the request."""
    return tuple(ErrorText(text.code and quotes.mask_code(text.code), quotes.mask_text(text.message)) for text in texts)


def private_text(answer: HttpResponse, texts: tuple[ErrorText, ...]) -> str:
    """Return what operators read of an answer: its codes and messages, without what looks personal."""
    joined = "; ".join(f"{text.code} {text.message}".strip() for text in texts) or f"{len(answer.body)} bytes"
    masked = _PERSONAL.sub(MASKED, _LONG_NUMBER.sub("[number]", joined))
    return f"status {answer.status}: {masked}"[:_MAX_DETAIL_CHARACTERS]
