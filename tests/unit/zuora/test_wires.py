"""Both ways onto the wire, against upstreams that behave oddly: what either reports is compared with the other's."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from harness.authority import Authority
from harness.black_hole import unaccepting_port
from harness.raw_server import Serve, listening
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import NoOpTracer
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.interpreter_defaults import client_tls_context
from payorch_server.zuora.connections import open_session
from payorch_server.zuora.messages import Damage
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.transport import HttpPost, Transport, open_transports
from payorch_server.zuora.wires import AiohttpWire, HttpxWire, Received

BODY = b'{"a":1}'
HEADERS = {
    "content-type": "application/json",
    "zuora-track-id": "t1",
    "idempotency-key": "k1",
    "zuora-org-ids": "o1,o2",
    "authorization": "Bearer secret",
}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
_JSON = b'{"paymentId":"p1","success":true}'
_RESET = struct.pack("ii", 1, 0)


def _with(fields: bytes, body: bytes = b"{}", *, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + fields + (b"\r\n" if fields else b"") + b"\r\n" + body


def _whole(body: bytes, fields: bytes = b"x: y", *, status: bytes = b"200 OK") -> bytes:
    return _with(b"content-length: %d\r\n%s" % (len(body), fields), body, status=status)


CHUNKED = b"transfer-encoding: chunked"
PACKED = gzip.compress(_JSON)
# What a server writes when it has read the request; then it closes the connection.
ANSWERS = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-nothing\r\n",
    "HTTP 0.9": b"<html>hello</html>",
    "HTTP 1.0": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "HTTP 1.0, with a length": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP 2.0": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP 1.2": b"HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "half a status line": b"HTTP/1.1 20",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status 99": _whole(b"{}", status=b"99 Low"),
    "status 600": _whole(b"{}", status=b"600 High"),
    "status 999": _whole(b"{}", status=b"999 Highest"),
    "status of four digits": _whole(b"{}", status=b"2000 OK"),
    "negative status": _whole(b"{}", status=b"-200 OK"),
    "no reason phrase": _whole(b"{}", status=b"200"),
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-len",
    "a head without its end": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
    "line feeds alone": b"HTTP/1.1 200 OK\ncontent-length: 2\n\n{}",
    "a folded field": _whole(b"{}", b"x: a\r\n b"),
    "a field twice": _whole(b"{}", b"zuora-request-id: a\r\nZuora-Request-Id: a\r\nx: 1\r\nx: 2"),
    "two different ids": _whole(b"{}", b"zuora-request-id: a\r\nZuora-Request-Id: b"),
    "a field in Latin-1": _whole(b"{}", b"x: Ung\xfcltig\r\ny: \xc3\xbc"),
    "a field in UTF-8": _whole(b"{}", b"x: Ung\xc3\xbcltig"),
    "a nul in a field": _whole(b"{}", b"x: a\0b"),
    "a blank in a name": _whole(b"{}", b"x y: 1"),
    "an empty name": _whole(b"{}", b": 1"),
    "a field of 100 KB": _whole(b"{}", b"x: " + b"x" * 100_000),
    "a field of 200 KB": _whole(b"{}", b"x: " + b"x" * 200_000),
    "500 fields": _whole(b"{}", b"\r\n".join(b"x-%d: y" % number for number in range(500))),
    "600 fields": _whole(b"{}", b"\r\n".join(b"x-%d: y" % number for number in range(600))),
    "a redirect": _whole(b"", b"location: /elsewhere", status=b"307 Temporary Redirect"),
    "a redirect to a GET": _whole(b"", b"location: https://elsewhere.test/", status=b"302 Found"),
    "a redirect to nowhere": _whole(b"", b"location: http://[", status=b"308 Permanent Redirect"),
    "status 100 first": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    "statuses 102 and 103 first": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,
    "status 100 alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "status 101": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    "status 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "status 204 with a body": _whole(b"{}", status=b"204 No Content"),
    "status 304": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "status 408": _with(b"connection: close", b"", status=b"408 Request Timeout"),
    "no body": _whole(b""),
    "no length": _with(b"x: y", _JSON),
    "no length and no body": _with(b"x: y", b""),
    "a byte order mark alone": _with(b"x: y", b"\xef\xbb\xbf"),
    "a body that is cut": _with(b"content-length: 100", b'{"a'),
    "a body that is cut at once": _with(b"content-length: 100", b""),
    "a body beyond its length": _with(b"content-length: 2", b"{}{}{}"),
    "another answer behind it": OK + _whole(b'{"paymentId":"other"}'),
    "two lengths": _with(b"content-length: 2\r\ncontent-length: 2"),
    "two different lengths": _with(b"content-length: 2\r\ncontent-length: 20"),
    "no number as length": _with(b"content-length: 2a"),
    "a negative length": _with(b"content-length: -2"),
    "length and chunked": _with(b"content-length: 2\r\n" + CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"),
    "chunks": _with(CHUNKED, b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    "chunks with extensions and trailers": _with(CHUNKED, b"2;a=b\r\n{}\r\n0\r\nx-trailer: y\r\n\r\n"),
    "chunks without their end": _with(CHUNKED, b"2\r\n{}\r\n"),
    "a chunk that is cut": _with(CHUNKED, b'3\r\n{"a\r\n50\r\n'),
    "no chunk at all": _with(CHUNKED, b""),
    "chunks with garbage": _with(CHUNKED, b"2\r\n{}\r\nzz\r\n"),
    "a chunk longer than it says": _with(CHUNKED, b"2\r\n{}{}\r\n0\r\n\r\n"),
    "a chunk of all memory": _with(CHUNKED, b"ffffffffffffffff\r\n{}"),
    "a negative chunk": _with(CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n"),
    "an unknown transfer coding": _with(b"transfer-encoding: gzip, chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked, then another coding": _with(b"transfer-encoding: chunked, gzip", b"2\r\n{}\r\n0\r\n\r\n"),
    "gzip": _whole(PACKED, b"content-encoding: gzip"),
    "gzip in chunks": _with(CHUNKED + b"\r\ncontent-encoding: gzip", b"%x\r\n%s\r\n0\r\n\r\n" % (len(PACKED), PACKED)),
    "gzip that is none": _whole(_JSON, b"content-encoding: gzip"),
    "gzip that is cut": _whole(PACKED[:-9], b"content-encoding: gzip"),
    "gzip without its field": _whole(PACKED),
    "an unknown content coding": _whole(PACKED, b"content-encoding: br"),
    "a bomb": _whole(gzip.compress(b"x" * 3_000_000), b"content-encoding: gzip"),
    "a bomb in a bomb": _whole(gzip.compress(gzip.compress(b"x" * 3_000_000)), b"content-encoding: gzip, gzip"),
    "more than the limit": _whole(b"x" * 70_000),
    "as much as the limit": _whole(b"x" * 65_536),
    "a cookie": _whole(b"{}", b"set-cookie: session=1; path=/"),
}
# Those that say nothing about a request that arrived.
SILENT = {"nothing", "no HTTP", "half a head"}
# Those that only the end of the connection ends.
ENDLESS = {
    "HTTP 1.0",
    "half a status line",
    "a head without its end",
    "status 100 alone",
    "status 408",
    "no length",
    "no length and no body",
    "a byte order mark alone",
    "a body that is cut",
    "a body that is cut at once",
    "chunks without their end",
    "a chunk that is cut",
    "no chunk at all",
    "a chunk of all memory",
    "chunked, then another coding",
}


@dataclass(slots=True)
class Upstream:
    """A server that reads requests whole, and answers all in one way."""

    text: bytes
    kept: bool = False
    """Whether connections are kept after an answer."""
    reset: bool = False
    """Whether connections are reset rather than closed."""
    answers: int = 1000
    """How many requests of a connection are answered; the next one ends it."""
    requests: list[bytes] = field(default_factory=list)
    """As they arrived."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        for number in range(self.answers + 1):
            self.requests.append(await reader.readuntil(BODY))
            if number == self.answers:
                break
            writer.write(self.text)
            await writer.drain()
            if not self.kept:
                break
        if self.reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def stall(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Write the text, and nothing after it until the other side gives up."""
        self.requests.append(await reader.readuntil(BODY))
        writer.write(self.text)
        await reader.readexactly(1)


@contextlib.asynccontextmanager
async def listening_with_tls(serve: Serve, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve connections after a handshake; yields the port. Leave it when the client's connections are closed."""
    connections: list[asyncio.Task[None] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        await serve(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*filter(None, connections))


async def outcome_of(transport: Transport, url: str, *, timeout_s: float = 15.0) -> object:
    """Send; return all that is reported."""
    try:
        answer = await transport.post(HttpPost(url, HEADERS, BODY, "/v1/x"), timeout_s=timeout_s)
    except CallError as error:
        return error.failure.reason, error.verdict.outcome, error.failure.detail
    return answer.status, dict(answer.headers), answer.body, answer.damage


async def both_outcomes(
    url: str, *, sends: int = 1, timeout_s: float = 15.0, settings: ZuoraHttpSettings | None = None
) -> tuple[list[object], list[object]]:
    """Send in both ways, each over kept connections of its own."""
    limits = settings or ZuoraHttpSettings(connect_timeout_s=10.0, max_answer_bytes=65_536)
    context = client_tls_context(limits.ca_file)
    outcomes: list[list[object]] = []
    for wire_over in (AiohttpWire, _httpx_wire):
        async with open_session(limits, context=context) as session:
            transport = Transport(
                settings=limits,
                version="0",
                wire=wire_over(session),
                tracer=NoOpTracer(),
                deadlines=Deadlines(SystemClock()),
            )
            outcomes.append([await outcome_of(transport, url, timeout_s=timeout_s) for _ in range(sends)])
    return outcomes[0], outcomes[1]


def _httpx_wire(session: aiohttp.ClientSession) -> HttpxWire:
    return HttpxWire(AiohttpTransport(client=session))


def halves(requests: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return what arrived in either way; as many requests in both."""
    middle = len(requests) // 2
    return requests[:middle], requests[middle:]


class TestReceived:
    """What has arrived of an answer."""

    def test_shows_neither_fields_nor_body(self) -> None:
        """Both may quote the request or hold a token."""
        received = Received(100)
        received.begin(200, [(b"set-cookie", b"shown-never")])
        received.add(b"shown-never")

        assert "shown-never" not in repr(received)


@pytest.mark.asyncio
class TestTwoWays:
    """Nothing can be told from an outcome about the way the request went."""

    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    @pytest.mark.parametrize("name", ANSWERS)
    async def test_report_the_same(self, name: str, *, reset: bool) -> None:
        """Whatever is answered: one request of the same bytes, and the same status, fields, body, damage or error."""
        upstream = Upstream(ANSWERS[name], reset=reset)
        async with listening(upstream.serve) as port:
            direct, through_httpx = await both_outcomes(f"http://127.0.0.1:{port}/v1/x?a=b%20c&d=e+f")

        assert direct == through_httpx
        assert len(upstream.requests) == 2
        assert upstream.requests[0] == upstream.requests[1]
        assert all(Outcome.NOT_SENT not in outcome for outcome in direct)  # type: ignore[operator] # tuples
        assert (name in SILENT) <= (direct[0][0] is Reason.UPSTREAM_NO_ANSWER)  # type: ignore[index] # a tuple

    @pytest.mark.parametrize("name", sorted(ANSWERS.keys() - SILENT - ENDLESS))
    async def test_report_the_same_on_a_kept_connection(self, name: str) -> None:
        """What is left of one answer belongs to no other, and no cookie is sent back."""
        upstream = Upstream(ANSWERS[name], kept=True)
        async with listening(upstream.serve) as port:
            direct, through_httpx = await both_outcomes(f"http://127.0.0.1:{port}/x", sends=3)

        assert direct == through_httpx
        first, second = halves(upstream.requests)
        assert first == second
        assert len(set(first)) == 1

    async def test_know_a_reason_phrase_in_any_charset(self) -> None:
        """httpx-aiohttp cannot encode it again; what a payment became must not depend on that, and nothing crashes."""
        upstream = Upstream(_whole(b"{}", status=b"400 Ung\xfcltig"), kept=True)
        async with listening(upstream.serve) as port, AsyncExitStack() as stack:
            transports = open_transports(
                settings=ZuoraHttpSettings(),
                version="0",
                tracer=NoOpTracer(),
                deadlines=Deadlines(SystemClock()),
                stack=stack,
            )

            outcome = await outcome_of(transports.of_calls, f"http://127.0.0.1:{port}/x")
            error = await outcome_of(transports.of_others, f"http://127.0.0.1:{port}/x")

        assert outcome == (400, {"content-length": "2", "x": "y"}, b"{}", None)
        assert error[:2] == (Reason.UPSTREAM_ANSWER_UNREADABLE, Outcome.UNKNOWN)  # type: ignore[index] # a tuple

    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    async def test_send_once_where_a_kept_connection_ends(self, *, reset: bool) -> None:
        """The server read the second request and ended the connection; a client that resent it would pay twice."""
        upstream = Upstream(OK, kept=True, answers=1, reset=reset)
        async with listening(upstream.serve) as port:
            direct, through_httpx = await both_outcomes(f"http://127.0.0.1:{port}/x", sends=2)

        assert direct == through_httpx
        assert direct[0] == (200, {"content-length": "2"}, b"{}", None)
        assert direct[1][:2] == (Reason.UPSTREAM_NO_ANSWER, Outcome.UNKNOWN)  # type: ignore[index] # a tuple
        assert len(upstream.requests) == 4

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (b"", Reason.UPSTREAM_NO_ANSWER),
            (b"HTTP/1.1 200 OK\r\ncontent-le", Reason.UPSTREAM_NO_ANSWER),
            (b"HTTP/1.1 100 Continue\r\n\r\n", Reason.UPSTREAM_NO_ANSWER),
            (_with(b"content-length: 100", b'{"a'), Damage.LATE),
            (_with(CHUNKED, b"2\r\n{}\r\n"), Damage.LATE),
            (_with(b"x: y", b"{}"), Damage.LATE),
        ],
        ids=["no head", "half a head", "100 alone", "half a body", "no last chunk", "no end"],
    )
    async def test_end_when_the_time_is_up(self, text: bytes, expected: object) -> None:
        """What arrived until then counts."""
        upstream = Upstream(text)
        async with listening(upstream.stall) as port:
            direct, through_httpx = await both_outcomes(f"http://127.0.0.1:{port}/x", timeout_s=0.5)

        assert direct == through_httpx
        assert expected in direct[0]  # type: ignore[operator] # a tuple
        assert len(upstream.requests) == 2

    async def test_know_that_nothing_was_sent_without_a_connection(self) -> None:
        """A closed port, an unknown name, a port that drops packets, and addresses that are none."""
        async with listening(Upstream(OK).serve) as closed:
            pass
        with unaccepting_port() as unaccepting:
            urls = {
                f"http://127.0.0.1:{closed}/x": Reason.UPSTREAM_UNREACHABLE,
                f"http://127.0.0.1:{unaccepting}/x": Reason.UPSTREAM_UNREACHABLE,
                "http://unknown.invalid/x": Reason.UPSTREAM_UNREACHABLE,
                "ftp://127.0.0.1/x": Reason.UPSTREAM_UNREACHABLE,
            }
            for url, reason in urls.items():
                direct, through_httpx = await both_outcomes(url, settings=ZuoraHttpSettings(connect_timeout_s=0.1))

                assert direct[0][:2] == through_httpx[0][:2] == (reason, Outcome.NOT_SENT)  # type: ignore[index]

    @pytest.mark.parametrize("url", ["http://127.0.0.1:99999/x", "http:///x", "nothing"])
    async def test_know_that_an_address_is_none(self, url: str) -> None:
        """Whatever parses it."""
        direct, through_httpx = await both_outcomes(url)

        expected = (Reason.UPSTREAM_UNREACHABLE, Outcome.NOT_SENT)
        assert direct[0][:2] == through_httpx[0][:2] == expected  # type: ignore[index] # tuples

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("trusted", (200, {"content-length": "2"})),
            ("another name", (Reason.UPSTREAM_TLS_FAILED, Outcome.NOT_SENT)),
            ("expired", (Reason.UPSTREAM_TLS_FAILED, Outcome.NOT_SENT)),
            ("a bare authority", (200, {"content-length": "2"})),
            ("another authority", (Reason.UPSTREAM_TLS_FAILED, Outcome.NOT_SENT)),
            ("no TLS", (Reason.UPSTREAM_UNREACHABLE, Outcome.NOT_SENT)),
        ],
    )
    async def test_trust_the_same_certificates(self, kind: str, expected: object, tmp_path: Path) -> None:
        """Both have the one TLS configuration."""
        authority, upstream = Authority(bare=kind == "a bare authority"), Upstream(OK)
        issuer = Authority("other") if kind == "another authority" else authority
        issued = issuer.issue("127.0.0.2" if kind == "another name" else "127.0.0.1", expired=kind == "expired")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*issued.write(tmp_path, "server"))
        (tmp_path / "ca.pem").write_bytes(authority.certificate)
        server = listening(upstream.serve) if kind == "no TLS" else listening_with_tls(upstream.serve, context)
        settings = ZuoraHttpSettings(
            ca_file=str(tmp_path / "ca.pem"), connect_timeout_s=0.5 if kind == "no TLS" else 10.0
        )
        async with server as port:
            direct, through_httpx = await both_outcomes(f"https://127.0.0.1:{port}/x", settings=settings)

        assert direct == through_httpx
        assert direct[0][:2] == expected  # type: ignore[index] # a tuple
        assert len(upstream.requests) == (2 if kind in ("trusted", "a bare authority") else 0)
