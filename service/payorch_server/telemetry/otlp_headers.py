"""Headers that a collector asks for, such as an API key, and how their file is written."""

import re
from typing import Final, TypeAlias

from payorch_server.model.secret import Secret

OtlpHeaders: TypeAlias = Secret[tuple[tuple[str, str], ...]]
"""Names in lower case, and values. All of it is secret: which of the headers is the key, only the collector knows."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_OF_CONNECTIONS: Final = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_OF_EXPORTERS: Final = frozenset({"content-encoding", "content-length", "content-type", "host", "user-agent"})


class OtlpHeadersError(ValueError):
    """A file of headers that cannot be used; the message shows nothing of what is in it."""


def parse_otlp_headers(content: bytes) -> OtlpHeaders:
    """Return the headers in the content of a file: `name: value` on each line that is not blank.

    Raises:
        OtlpHeadersError: A line is none, or cannot be sent over both gRPC and HTTP. The message continues "the file".
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if text := line.decode("latin-1").strip(" \t\r"):
            name, colon, value = text.partition(":")
            name, value = name.strip(" \t").lower(), value.strip(" \t")
            problem = _problem(name, value, taken=headers) if colon else "must be written as name: value"
            if problem:
                raise OtlpHeadersError(f"line {number}: {problem}")
            headers[name] = value
    if not headers:
        raise OtlpHeadersError("has no header; write each on a line, as name: value")
    return Secret(tuple(headers.items()))


def _problem(name: str, value: str, *, taken: dict[str, str]) -> str:
    """Return what is wrong with a header; empty if nothing is."""
    if not _NAME.fullmatch(name):
        return "the name before the colon must consist of ASCII letters, digits, '-', '_' and '.'; write name: value"
    if name in _OF_CONNECTIONS | _OF_EXPORTERS or name.startswith("grpc-") or name.endswith("-bin"):
        return "the name is one of gRPC's or HTTP's own, or ends in -bin; remove the header"
    if name in taken:
        return "the header is there twice; remove one"
    if not _VALUE.fullmatch(value):
        return "the value must consist of printable ASCII characters, one at least; write it on the same line"
    return ""
