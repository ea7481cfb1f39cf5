import asyncio
import contextlib
import gzip
import inspect
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast

import aiohttp
import httpx
import pytest
from harness.black_hole import silent_server, unaccepting_port
from harness.raw_server import Serve, listening
from harness.scripted_http import Chunks, ScriptedTransport, answer, transport_over
from httpx_aiohttp.transport import map_aiohttp_exceptions
from opentelemetry.trace import NoOpTracer
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.zuora.messages import Damage, HttpResponse
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.transport import HttpPost, Transport, open_transports
from payorch_server.zuora.wires import AiohttpWire, HttpxWire

POST = HttpPost("https://zuora.test/v1/x", {"idempotency-key": "k"}, b'{"a":1}', "/v1/x")
ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{"paymentId":"other"}'

WAYS = ("aiohttp", "httpx")

# More than any limit that aiohttp or the service ever had for all origins together, which was 200.
MANY = 250
# Raised before a byte of the request is written, with what each must become. Everything else may have been executed.
BEFORE_CONNECT: dict[type[BaseException], Reason] = {
    aiohttp.ClientConnectorError: Reason.UPSTREAM_UNREACHABLE,
    aiohttp.ClientConnectorDNSError: Reason.UPSTREAM_UNREACHABLE,
    aiohttp.ClientProxyConnectionError: Reason.UPSTREAM_UNREACHABLE,
    aiohttp.ConnectionTimeoutError: Reason.UPSTREAM_UNREACHABLE,
    aiohttp.ClientSSLError: Reason.UPSTREAM_UNREACHABLE,
    aiohttp.ClientConnectorSSLError: Reason.UPSTREAM_TLS_FAILED,
    aiohttp.ClientConnectorCertificateError: Reason.UPSTREAM_TLS_FAILED,
    httpx.UnsupportedProtocol: Reason.UPSTREAM_UNREACHABLE,
    httpx.InvalidURL: Reason.UPSTREAM_UNREACHABLE,
    # httpx-aiohttp turns these two into httpx.UnsupportedProtocol: the address was no HTTP address at all.
    aiohttp.InvalidUrlClientError: Reason.UPSTREAM_UNREACHABLE,
    aiohttp.NonHttpUrlClientError: Reason.UPSTREAM_UNREACHABLE,
}
# Raised neither by a send nor by the reading of an answer: web sockets, multipart, cookie jars, and redirects, which
# are never followed.
NOT_OF_A_SEND = {
    "BadContentDispositionHeader",
    "BadContentDispositionParam",
    "CookieConflict",
    "EofStream",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlRedirectClientError",
    "UploadAbortedError",
    "WSMessageTypeError",
    "WebSocketError",
}


def exceptions_of(module: Any) -> list[type[BaseException]]:
    """List the exceptions a library publishes."""
    found = {one for one in vars(module).values() if inspect.isclass(one) and issubclass(one, BaseException)}
    return sorted((one for one in found if one.__name__ not in NOT_OF_A_SEND), key=lambda one: one.__name__)


def instance_of(kind: type[BaseException]) -> BaseException:
    """Make an exception of a kind without knowing what it is made from."""
    named = type(kind.__name__, (kind,), {"__str__": lambda _: "made by a test"})
    return named.__new__(named)


class Failing(httpx.AsyncBaseTransport):
    """Fails as the real transport does: aiohttp's exceptions pass through httpx-aiohttp's own mapping."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        """Fail."""
        with map_aiohttp_exceptions():
            raise self._error


class FailingSession:
    """An aiohttp client that fails."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @contextlib.asynccontextmanager
    async def request(self, *_request: Any, **_options: Any) -> AsyncIterator[None]:
        """Fail."""
        raise self._error
        yield


def failing_with(error: BaseException, way: str) -> Transport:
    """Make a transport each of whose sends fails."""
    wire = (
        AiohttpWire(cast("aiohttp.ClientSession", FailingSession(error)))
        if way == "aiohttp"
        else HttpxWire(Failing(error))
    )
    return Transport(
        settings=ZuoraHttpSettings(), version="0", wire=wire, tracer=NoOpTracer(), deadlines=Deadlines(SystemClock())
    )


class FailingLate(httpx.AsyncByteStream):
    """A body that breaks after its first bytes."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with map_aiohttp_exceptions():
            yield b'{"succ'
            raise self._error


class Stalled(httpx.AsyncByteStream):
    """A body of which nothing follows its first bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        await asyncio.Event().wait()


async def failure_of(transport: Transport, post: HttpPost = POST, *, timeout_s: float = 5.0) -> CallError:
    """Send and return the error."""
    with pytest.raises(CallError) as caught:
        await transport.post(post, timeout_s=timeout_s)
    return caught.value


@pytest.mark.asyncio
class TestExceptions:
    """Only what happens before a connection exists counts as not sent."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        "kind", [*exceptions_of(aiohttp), *exceptions_of(httpx)], ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
    )
    async def test_are_all_told_apart(self, way: str, kind: type[BaseException]) -> None:
        """The namespaces of both libraries are walked: a new exception counts as an unknown outcome."""
        error = await failure_of(failing_with(instance_of(kind), way))

        expected = BEFORE_CONNECT.get(kind, Reason.UPSTREAM_NO_ANSWER)
        assert error.failure.reason is expected
        assert error.verdict.outcome is (Outcome.NOT_SENT if kind in BEFORE_CONNECT else Outcome.UNKNOWN)

    @pytest.mark.parametrize(
        "error",
        [
            aiohttp.ServerDisconnectedError(),
            aiohttp.ClientOSError(104, "reset"),
            aiohttp.ClientPayloadError("half"),
            aiohttp.SocketTimeoutError("slow"),
            httpx.ReadError("reset"),
            ConnectionResetError(104, "reset"),
        ],
        ids=repr,
    )
    async def test_in_the_middle_of_an_answer_keep_its_head(self, error: Exception) -> None:
        """The status and the ids have arrived; the body is what is lost."""
        wire = ScriptedTransport(httpx.Response(400, headers={"retry-after": "3"}, stream=FailingLate(error)))

        got = await transport_over(wire).post(POST, timeout_s=5.0)

        assert got == HttpResponse(400, {"retry-after": "3"}, b'{"succ', Damage.CUT)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("error", [OSError(1, "x"), ConnectionResetError(), TimeoutError()], ids=repr)
    async def test_of_the_system_leave_it_open(self, way: str, error: OSError) -> None:
        """A bare error of the system says nothing about when it happened."""
        assert (await failure_of(failing_with(error, way))).failure.reason is Reason.UPSTREAM_NO_ANSWER

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        ("error", "shown"),
        [
            (OSError(111, "refused"), "ConnectionRefusedError refused"),
            (ConnectionResetError(), "ConnectionResetError"),
            (aiohttp.ClientPayloadError("canary"), "ClientPayloadError"),
        ],
        ids=repr,
    )
    async def test_show_their_kind_and_what_the_system_says(self, way: str, error: Exception, shown: str) -> None:
        """Their own texts can quote bytes of an answer, perhaps a token."""
        failed = await failure_of(failing_with(error, way))

        assert failed.failure.detail == f"the connection to https://zuora.test failed: {shown}"

    @pytest.mark.parametrize("way", WAYS)
    async def test_of_certificates_name_the_host(self, way: str) -> None:
        """The operator reads which host; nothing was sent to it."""
        error = await failure_of(failing_with(instance_of(aiohttp.ClientConnectorCertificateError), way))

        assert error.failure.detail.startswith("the certificate of https://zuora.test was refused: ")

    @pytest.mark.parametrize("way", WAYS)
    async def test_that_are_no_failures_of_a_send_pass(self, way: str) -> None:
        """A defect stays a defect, and a cancelled caller stays cancelled."""
        for error in (ZeroDivisionError(), asyncio.CancelledError()):
            with pytest.raises(type(error)):
                await failing_with(error, way).post(POST, timeout_s=5.0)


@pytest.mark.asyncio
class TestPost:
    """One request in, one complete answer out."""

    async def test_sends_what_it_is_given(self) -> None:
        """Headers of ours, and those of a client that says who it is."""
        wire = ScriptedTransport(answer(200, {"a": 1}, Zuora_Request_Id="r1"))

        got = await transport_over(wire).post(POST, timeout_s=5.0)

        (request,) = wire.requests
        assert (request.method, str(request.url), request.content) == ("POST", POST.url, POST.body)
        assert (request.headers["idempotency-key"], request.headers["accept"]) == ("k", "application/json")
        assert request.headers["user-agent"] == "payorch/1.2.3"
        assert got == HttpResponse(200, got.headers, b'{"a": 1}')
        assert got.headers["zuora-request-id"] == "r1"

    @pytest.mark.parametrize(("size", "compressed"), [(100, False), (101, True)])
    async def test_compresses_large_bodies(self, size: int, *, compressed: bool) -> None:
        """Zuora reads gzip."""
        wire = ScriptedTransport(answer(200, {}))
        post = HttpPost(POST.url, {}, b"x" * size, POST.template)

        await transport_over(wire, gzip_over_bytes=100).post(post, timeout_s=5.0)

        (request,) = wire.requests
        assert (request.headers.get("content-encoding") == "gzip") is compressed
        assert (gzip.decompress(request.content) if compressed else request.content) == post.body

    async def test_never_follows_a_redirect(self) -> None:
        """A redirect could lead a token to another host."""
        wire = ScriptedTransport(answer(307, b"", location="https://elsewhere.test/"))

        got = await transport_over(wire).post(POST, timeout_s=5.0)

        assert (got.status, len(wire.requests)) == (307, 1)

    @pytest.mark.parametrize(("size", "readable"), [(64, True), (65, False)])
    async def test_limits_the_answer(self, size: int, *, readable: bool) -> None:
        """An endless answer must not fill the memory; it was executed all the same."""
        transport = transport_over(ScriptedTransport(answer(200, b"x" * size)), max_answer_bytes=64)

        got = await transport.post(POST, timeout_s=5.0)

        assert (len(got.body), got.damage) == (64, None if readable else Damage.TOO_LARGE)

    async def test_limits_the_answer_after_decompression(self) -> None:
        """A thousandth of the bytes can be a bomb."""
        bomb = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(gzip.compress(b"x" * 10**6)))

        got = await transport_over(ScriptedTransport(bomb), max_answer_bytes=10_000).post(POST, timeout_s=5.0)

        assert (len(got.body), got.damage) == (10_000, Damage.TOO_LARGE)

    async def test_reads_gzip(self) -> None:
        """Zuora compresses from a thousand bytes on."""
        packed = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(gzip.compress(b'{"a":1}')))

        assert (await transport_over(ScriptedTransport(packed)).post(POST, timeout_s=5.0)).body == b'{"a":1}'

    async def test_keeps_the_head_of_an_answer_that_cannot_be_decompressed(self) -> None:
        """A status that arrived is never thrown away."""
        broken = httpx.Response(429, headers={"content-encoding": "gzip"}, stream=Chunks(b"not gzip at all"))

        got = await transport_over(ScriptedTransport(broken)).post(POST, timeout_s=5.0)

        assert (got.status, got.body, got.damage) == (429, b"not gzip at all", Damage.UNDECODABLE)

    async def test_keeps_the_head_of_an_answer_whose_body_never_ends(self) -> None:
        """The time is up, and what has arrived counts."""
        stalled = httpx.Response(403, stream=Stalled(b'{"succ'))

        got = await transport_over(ScriptedTransport(stalled)).post(POST, timeout_s=0.01)

        assert (got.status, got.body, got.damage) == (403, b'{"succ', Damage.LATE)

    async def test_leaves_it_open_when_the_time_is_up(self) -> None:
        """A slow answer may still come."""
        never = asyncio.Event()

        async def wait(_request: httpx.Request) -> httpx.Response:
            await never.wait()
            return answer(200, {})

        error = await failure_of(transport_over(ScriptedTransport(handler=wait)), timeout_s=0.0)

        assert error.failure.reason is Reason.UPSTREAM_NO_ANSWER


async def close_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, and say nothing."""
    writer.transport.abort()


async def close_after_reading(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Read the request, and say nothing."""
    await reader.readuntil(b'{"a":1}')


async def close_in_the_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin the head of an answer."""
    await reader.readuntil(b'{"a":1}')
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-len")
    await writer.drain()


async def answer_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with something that is no HTTP."""
    await reader.readuntil(b'{"a":1}')
    writer.write(b"SSH-2.0-nothing\r\n")
    await writer.drain()


def answer_all(opened: list[asyncio.StreamWriter]) -> Serve:
    """Answer every request of a connection, and list the connections."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b'{"a":1}'):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    return serve


def answering(text: bytes) -> Serve:
    """Read the request, write this text, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'{"a":1}')
        writer.write(text)
        await writer.drain()

    return serve


async def speak_on(connections: list[asyncio.StreamWriter], text: bytes) -> None:
    """Write a text on idle connections, and wait until the other side has read it."""
    for connection in connections:
        connection.write(text)
        await connection.drain()
    for _ in range(10):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def posts_under_way(transport: Transport, post: HttpPost) -> AsyncIterator[list[asyncio.Task[HttpResponse]]]:
    """Send many times at once, for as long as the test lasts."""
    tasks = [asyncio.ensure_future(transport.post(post, timeout_s=60.0)) for _ in range(MANY)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def begun(*tasks: asyncio.Task[HttpResponse]) -> None:
    """Wait until every task has come as far as it can without an answer of the network."""
    for _ in tasks:
        await asyncio.sleep(0)


def transport_by(way: str, stack: AsyncExitStack, **settings: Any) -> Transport:
    """Open the real pool; return the transport over one of the ways."""
    transports = open_transports(
        settings=ZuoraHttpSettings(**settings),
        version="0",
        tracer=NoOpTracer(),
        deadlines=Deadlines(SystemClock()),
        stack=stack,
    )
    return {"aiohttp": transports.of_calls, "httpx": transports.of_others}[way]


async def post_to(way: str, port: int, stack: AsyncExitStack) -> HttpResponse:
    """Send one request over the real pool."""
    transport = transport_by(way, stack)
    return await transport.post(HttpPost(f"http://127.0.0.1:{port}/x", {}, b'{"a":1}', "/x"), timeout_s=5.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
class TestOverASocket:
    """The real pool, against a server that misbehaves."""

    @pytest.mark.parametrize("serve", [close_at_once, close_after_reading, close_in_the_answer, answer_nonsense])
    async def test_leaves_it_open_when_a_connection_was_made(self, way: str, serve: Serve) -> None:
        """What was accepted may have been read, and what was read may have been executed."""
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(serve))
            transport = transport_by(way, stack)

            error = await failure_of(transport, HttpPost(f"http://127.0.0.1:{port}/x", {}, b'{"a":1}', "/x"))

        assert (error.failure.reason, error.verdict.outcome) == (Reason.UPSTREAM_NO_ANSWER, Outcome.UNKNOWN)

    @pytest.mark.parametrize(
        ("head", "body"),
        [
            (b"content-length: 100", b'{"a'),
            (b"transfer-encoding: chunked", b'3\r\n{"a\r\n50\r\n'),
        ],
        ids=["length", "chunked"],
    )
    async def test_keeps_the_head_of_an_answer_that_is_cut_off(self, way: str, head: bytes, body: bytes) -> None:
        """Status, headers and what arrived of the body survive the connection."""
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(
                listening(answering(b"HTTP/1.1 403 X\r\nzuora-request-id: r1\r\n" + head + b"\r\n\r\n" + body))
            )
            got = await post_to(way, port, stack)

        assert (got.status, got.zuora_request_id, got.body, got.damage) == (403, "r1", b'{"a', Damage.CUT)

    @pytest.mark.parametrize(
        "fields",
        [
            b"content-security-policy: " + b"x" * 9_000,
            b"report-to: " + b"x" * 100_000,
            b"\r\n".join(b"x-%d: y" % index for index in range(500)),
            b"\r\n".join(b"set-cookie: %d=%s" % (index, b"x" * 1000) for index in range(40)),
        ],
        ids=["a field beyond 8 KiB", "a field of 100 KB", "500 fields", "40 cookies"],
    )
    async def test_reads_heads_that_are_far_larger_than_real_ones(self, way: str, fields: bytes) -> None:
        """An edge that begins to send a long policy must not end every call of every tenant."""
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(
                listening(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + fields + b"\r\n\r\n{}"))
            )
            got = await post_to(way, port, stack)

        assert (got.status, got.body, got.damage) == (200, b"{}", None)

    @pytest.mark.parametrize(
        "head",
        [
            b"x: " + b"x" * 200_000,
            b"\r\n".join(b"x-%d: y" % index for index in range(600)),
            b"x y: 1",
            b"x: a\0b",
            b"content-length: 2\r\ncontent-length: 2",
            b"content-length: 2a",
            b"content-length: 2\r\ntransfer-encoding: chunked",
        ],
        ids=["too large", "too many", "blank in a name", "nul", "two lengths", "no length", "length and chunked"],
    )
    async def test_does_not_resend_for_a_head_that_no_attempt_can_read(self, way: str, head: bytes) -> None:
        """The answer exists, and its next copy breaks the same rule."""
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n{}")))
            with pytest.raises(CallError) as caught:
                await post_to(way, port, stack)

        assert caught.value.failure.reason is Reason.UPSTREAM_ANSWER_UNREADABLE
        assert caught.value.verdict.advice is Advice.LOOK_UP

    async def test_knows_that_nothing_was_sent_to_a_closed_port(self, way: str) -> None:
        """Refused before a connection existed."""
        async with listening(close_at_once) as port:
            pass
        async with AsyncExitStack() as stack:
            transport = transport_by(way, stack)

            error = await failure_of(transport, HttpPost(f"http://127.0.0.1:{port}/x", {}, b"{}", "/x"))

        assert (error.failure.reason, error.verdict.outcome) == (Reason.UPSTREAM_UNREACHABLE, Outcome.NOT_SENT)

    async def test_knows_that_nothing_was_sent_to_a_port_without_tls(self, way: str) -> None:
        """A handshake that fails carries no request."""
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(close_at_once))
            transport = transport_by(way, stack)

            error = await failure_of(transport, HttpPost(f"https://127.0.0.1:{port}/x", {}, b"{}", "/x"))

        assert error.verdict.outcome is Outcome.NOT_SENT

    @pytest.mark.parametrize("early", [b"HTTP/1.1 408 Timeout\r\n\r\n", ANSWER, b"?"])
    async def test_takes_nothing_for_an_answer_that_came_before_the_request(self, way: str, early: bytes) -> None:
        """What a server sends on an idle connection belongs to no call, least of all to the next one."""
        opened: list[asyncio.StreamWriter] = []
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(answer_all(opened)))
            transport = transport_by(way, stack)
            post = HttpPost(f"http://127.0.0.1:{port}/x", {}, b'{"a":1}', "/x")
            await transport.post(post, timeout_s=5.0)
            await speak_on(opened, early)

            got = await transport.post(post, timeout_s=5.0)

        assert (200, b"{}", 2) == (got.status, got.body, len(opened))

    async def test_takes_no_connection_from_another_origin(self, way: str) -> None:
        """However many calls one origin leaves unanswered, a call to another does not wait for any of them."""
        opened: list[asyncio.StreamWriter] = []
        async with AsyncExitStack() as stack:
            silent = await stack.enter_async_context(silent_server())
            port = await stack.enter_async_context(listening(answer_all(opened)))
            transport = transport_by(way, stack)
            unanswered = await stack.enter_async_context(
                posts_under_way(transport, HttpPost(f"http://127.0.0.1:{silent.port}/x", {}, b"{}", "/x"))
            )
            await silent.until_accepted(MANY)

            got = await transport.post(HttpPost(f"http://127.0.0.1:{port}/x", {}, b'{"a":1}', "/x"), timeout_s=15.0)

            assert (200, 0) == (got.status, sum(task.done() for task in unanswered))

    @pytest.mark.parametrize("stage", ["tcp", "tls"])
    async def test_connects_beside_attempts_that_are_stuck(self, way: str, stage: str) -> None:
        """New connections to one origin do not queue behind those to another that drops every packet."""
        opened: list[asyncio.StreamWriter] = []
        async with AsyncExitStack() as stack:
            silent = await stack.enter_async_context(silent_server())
            port = await stack.enter_async_context(listening(answer_all(opened)))
            transport = transport_by(way, stack, connect_timeout_s=15.0)
            stuck_at = {
                "tcp": f"http://127.0.0.1:{stack.enter_context(unaccepting_port())}/x",
                "tls": f"https://127.0.0.1:{silent.port}/x",
            }
            stuck = await stack.enter_async_context(
                posts_under_way(transport, HttpPost(stuck_at[stage], {}, b"{}", "/x"))
            )
            await begun(*stuck)

            got = await transport.post(HttpPost(f"http://127.0.0.1:{port}/x", {}, b'{"a":1}', "/x"), timeout_s=18.0)

            assert (200, 0) == (got.status, sum(task.done() for task in stuck))

    async def test_needs_a_readable_ca_file(self, way: str, tmp_path: Any) -> None:
        """A broken one ends the start; it never means less checking."""
        broken = tmp_path / "ca.pem"
        broken.write_text("nothing")
        async with AsyncExitStack() as stack:
            with pytest.raises(ssl.SSLError):
                transport_by(way, stack, ca_file=str(broken))
