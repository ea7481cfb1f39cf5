"""HTTP written byte by byte, and what is said of it: answers and every line that is logged meanwhile."""

import asyncio
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog
from structlog.testing import capture_logs

CANARY = "CANARY7f3a"
"""Part of everything in broken requests that must not come back."""
_PATIENCE_S = 15.0


class Connection:
    """An open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def everything(self) -> bytes:
        """Return what comes until the other end closes; a reset is an end, too."""
        received = b""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                try:
                    chunk = await self._reader.read(65536)
                except ConnectionError:
                    return received
                if not chunk:
                    return received
                received += chunk

    async def answer(self) -> bytes:
        """Return the next answer: head and body."""
        async with asyncio.timeout(_PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            return head + await self._reader.readexactly(int(headers_of(head).get("content-length", "0")))

    async def close(self) -> None:
        """Leave."""
        self._writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


async def connect(port: int, *, tls: ssl.SSLContext | None = None) -> Connection:
    """Connect to this machine."""
    return Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))


async def exchange(port: int, sent: bytes, *, tls: ssl.SSLContext | None = None) -> bytes:
    """Send bytes, and return what comes until the other end closes."""
    connection = await connect(port, tls=tls)
    connection.send(sent)
    received = await connection.everything()
    await connection.close()
    return received


def status_of(answer: bytes) -> int:
    """Return the status of an answer, 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def body_of(answer: bytes) -> bytes:
    """Return the body of an answer."""
    return answer.partition(b"\r\n\r\n")[2]


def headers_of(answer: bytes) -> Mapping[str, str]:
    """Return the headers of an answer by lower-case name."""
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


@dataclass(slots=True)
class Said:
    """What was logged."""

    events: list[Mapping[str, object]] = field(default_factory=list)
    records: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.events}{self.records}"

    @property
    def names(self) -> list[object]:
        """The events of ours, in order."""
        return [event["event"] for event in self.events]


class _Records(logging.Handler):
    def __init__(self, said: Said) -> None:
        super().__init__(level=logging.DEBUG)
        self._said = said
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        self._said.records.append(self._formatter.format(record))


@contextmanager
def listening_to_logs() -> Iterator[Said]:
    """Collect every line of ours and of libraries, debug lines and the texts of exceptions too."""
    said = Said()
    handler = _Records(said)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.reset_defaults()
    try:
        with capture_logs() as events:
            said.events = events  # type: ignore[assignment] # a list of dicts is one of mappings
            yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def broken_requests(target: str) -> Mapping[str, bytes]:
    """Return by name what is no HTTP request, or none that may be trusted, each with the canary in it."""
    head = f"POST {target} HTTP/1.1\r\nHost: h\r\n".encode()
    secret = f"Authorization: Basic {CANARY}".encode()
    return {
        "NUL in a credential": head + secret + b"\x00\r\n\r\n",
        "control character in a credential": head + secret + b"\x01\x1b[31m\r\n\r\n",
        "bare CR in a credential": head + secret + b"\rX: y\r\n\r\n",
        "long credential": head + secret + b"A" * 9000 + b"\r\n\r\n",
        "credential without a colon": head + f"Authorization {CANARY}\r\n\r\n".encode(),
        "folded credential": head + b"Authorization: Basic\r\n " + CANARY.encode() + b"\r\n\r\n",
        "many headers": head + b"".join(f"X-{n}: {CANARY}\r\n".encode() for n in range(200)) + b"\r\n",
        "long target": f"POST /{CANARY}{'a' * 9000} HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
        "control character in the target": f"POST /{CANARY}\x01 HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
        "unknown method": f"{CANARY} {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
        "HTTP/2": f"PRI * HTTP/2.0\r\n\r\n{CANARY}\r\n\r\n".encode(),
        "TLS on a plaintext port": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + CANARY.encode() * 10,
        "no Host": f"POST {target} HTTP/1.1\r\n".encode() + secret + b"\r\n\r\n",
        "both length headers": head + secret + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "two lengths": head + secret + b"\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "no number as length": head + f"Content-Length: {CANARY}\r\n\r\n".encode(),
        "negative length": head + secret + b"\r\nContent-Length: -1\r\n\r\n",
        "unknown transfer encoding": head + f"Transfer-Encoding: {CANARY}\r\n\r\n".encode(),
    }
