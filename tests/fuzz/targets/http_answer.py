"""What a server writes to a connection on which a call was sent: status lines, fields, framing, bodies."""

import asyncio
import atexit
import re
import ssl
from collections.abc import Iterator
from typing import Final

from opentelemetry import trace
from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.zuora.answer_body import read_body
from payorch_server.zuora.connections import open_session
from payorch_server.zuora.errors import classify
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.transport import HttpPost, Transport
from payorch_server.zuora.wires import AiohttpWire

from fuzz.target import CANARY, Target, note, require

_SETTINGS: Final = ZuoraHttpSettings()
_TIMEOUT_S: Final = 20.0
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *([0-9]{1,9})(?=\r\n)")


class _Upstream:
    """A server that answers every request with the same bytes, and then closes."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.answer = b""
        self.requests = 0
        self.transport = self.loop.run_until_complete(self._open())

    async def _open(self) -> Transport:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._session = open_session(_SETTINGS, context=ssl.create_default_context())
        return Transport(
            settings=_SETTINGS,
            version="0",
            wire=AiohttpWire(self._session),
            tracer=trace.NoOpTracer(),
            deadlines=Deadlines(SystemClock()),
        )

    def close(self) -> None:
        """Close the connections of the client."""
        self.loop.run_until_complete(self._session.close())
        self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(_BODY))
        self.requests += 1
        writer.write(self.answer)
        writer.close()


_BODY: Final = b'{"amount":1}'
_UPSTREAM: Final = _Upstream()
atexit.register(_UPSTREAM.close)


def run(data: bytes) -> None:
    """Send a call, and read these bytes as its answer: the call was received, so nothing less than that is certain."""
    _UPSTREAM.answer, before = data, _UPSTREAM.requests
    url = f"http://127.0.0.1:{_UPSTREAM.port}/v1/x"
    post = HttpPost(url, {"zuora-track-id": "t-1", "idempotency-key": "k-1"}, _BODY, "/v1/x")
    try:
        answer = _UPSTREAM.loop.run_until_complete(_UPSTREAM.transport.post(post, timeout_s=_TIMEOUT_S))
    except CallError as error:
        # What it came from quotes the server; the log has no text of any exception.
        note(str(error), error.failure)
        require(error.verdict.outcome is Outcome.UNKNOWN, "a call that was received is in doubt without a status")
        require(_UPSTREAM.requests == before + 1, "a call is sent once")
        return
    require(_UPSTREAM.requests == before + 1, "a call is sent once")
    require(str(answer.status).encode() in data, "a status is the server's")
    require(len(answer.body) <= _SETTINGS.max_answer_bytes, "a body has a bound")
    body = read_body(answer)
    failed = classify(answer, body, UpstreamFacts())
    require(failed is not None or not _is_cut(data), "a success is complete")


def _is_cut(data: bytes) -> bool:
    """Return whether the bytes are certainly the beginning of a longer answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = _LENGTH.findall(head + b"\r\n")
    is_plain = head.startswith(b"HTTP/1.1 2") and b"transfer" not in head.lower() and len(lengths) == 1
    return is_plain and int(lengths[0]) > len(body)


def _seeds() -> Iterator[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nZuora-Track-Id: t-1\r\n"
    body = b'{"success":true,"id":"8ad0"}'
    yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    yield head + b"Content-Length: %d\r\nContent-Length: 5\r\n\r\n" % len(body) + body
    yield head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x;a=b\r\n%s\r\n0\r\nx: y\r\n\r\n" % (len(body), body)
    yield head + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n1c\r\n" + body[:9]
    yield head + b"Transfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n" + body
    yield head + b"\r\n" + body
    yield (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=x\r\n\r\n"
        + head
        + b"Content-Length: 2\r\n\r\n{}"
    )
    yield b"HTTP/1.0 503 \xff\r\nRetry-After: 5\r\n\r\n<html>" + CANARY.encode()
    yield b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    yield b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"
    yield b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n: d\r\nContent-Length : 2\r\n\r\n{}"
    yield b"HTTP/2 200\r\n\r\n"
    yield b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    yield b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n{}"


TARGET = Target(
    "http_answer",
    run,
    _seeds,
    covers=("zuora.wires", "zuora.transport", "zuora.connections", "zuora.send_errors"),
    words=(
        *(
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.0 ",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "\r\n\r\n",
            "Content-Length: ",
            "chunked",
        ),
        *(
            "Transfer-Encoding: ",
            "Connection: close",
            "Content-Encoding: gzip",
            "Upgrade: ",
            "Zuora-Track-Id: ",
            "0\r\n\r\n",
        ),
        *("Trailer: ", "\x1f\x8b", "ffffffffffffffff\r\n", "-1"),
    ),
)
