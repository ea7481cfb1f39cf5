"""What goes back over the wire, before headers that every answer has are added."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

MARKER = ("zuora-emulator", "not-zuora")
"""On every answer, so that nobody takes the emulator for Zuora; a service in production must refuse it."""

_encoder = msgspec.json.Encoder(decimal_format="number")


NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)
"""What reading JSON can raise: of other bytes, of too much nesting, of numbers beyond Decimal's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers with lower-case names, and the bytes of the body."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False
    """Whether the connection breaks before the end of the body."""
    drip_s: float = 0
    """Over how many seconds of the clock the body comes; 0: at once."""
    leaves_stale: bool = False
    """Whether the next call over the connection is cut, although the connection looks usable."""

    def with_headers(self, *headers: tuple[str, str]) -> "Answer":
        """Return the same answer with these headers after its own."""
        return replace(self, headers=(*self.headers, *headers))

    def header(self, name: str) -> str | None:
        """Return the first header of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class Answered(Exception):  # noqa: N818 - not an error of the program: the call is answered early
    """Raised where a call is answered before its operation ran."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class ConnectionCut(Exception):  # noqa: N818 - what the caller of the in-process app sees instead of an answer
    """The connection ends without an answer; over a socket the server aborts it, in process the caller gets this."""


class NeverAnswered(ConnectionCut):
    """The connection stays, and nothing comes over it until the caller ends it; in process the call never returns."""


def json_bytes(value: Any) -> bytes:
    """Encode to JSON; decimals become numbers with their exact digits."""
    return _encoder.encode(value)


def json_answer(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    """Build an answer with a JSON body."""
    return Answer(status, json_bytes(value), (("content-type", "application/json"), *headers))


def html_answer(status: int, title: str) -> Answer:
    """Build the page an edge proxy answers with; Zuora never saw the call."""
    page = f"<html><head><title>{status} {title}</title></head><body><h1>{status} {title}</h1></body></html>"
    return Answer(status, page.encode(), (("content-type", "text/html"),))
