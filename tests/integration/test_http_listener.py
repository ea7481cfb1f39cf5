"""The HTTP listener's patience, its limit of connections, TLS and drain, over real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness.authority import Authority
from harness.raw_http import Connection, body_of, connect, exchange, headers_of, listening_to_logs, status_of
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.http_connection import HttpAnswer, HttpLimits, HttpRequest, HttpService
from payorch_server.runtime.http_listener import HttpListener
from payorch_server.upc.app import tls_context
from payorch_server.upc.settings import HubTlsSettings

pytestmark = pytest.mark.asyncio
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
PATIENT = HttpLimits(connections=10, idle_s=60)
SHORT_S = 0.05
_SUITES = b"\x00\x04\xc0\x2b\xc0\x09"
# Groups, point formats, signature algorithms.
_EXTENSIONS = bytes.fromhex("001a 000a00040002 0017 000b00020100 000d000800060403 0401 0203")


def hello(version: bytes) -> bytes:
    """Write the first message of a TLS client that knows no newer version."""
    content = version + b"r" * 32 + b"\x00" + _SUITES + b"\x01\x00" + _EXTENSIONS
    message = b"\x01\x00" + len(content).to_bytes(2, "big") + content
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


class Service:
    """Answers at once, or when a test lets it."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.release = asyncio.Event()
        self.reported: list[BaseException] = []
        self.answer = HttpAnswer(200, b"done")

    async def handle(self, request: HttpRequest) -> HttpAnswer:
        """Answer; `/hold` waits."""
        if request.target == "/hold":
            self.held.set()
            await self.release.wait()
        return self.answer


@asynccontextmanager
async def listening(
    service: Service, limits: HttpLimits = PATIENT, tls: Callable[[], ssl.SSLContext] | None = None
) -> AsyncIterator[HttpListener]:
    """Listen on a free port."""
    parts = HttpService(
        service.handle,
        malformed=HttpAnswer(400, b"malformed"),
        failed=HttpAnswer(500, b"failed"),
        report=service.reported.append,
        limits=limits,
        clock=SystemClock(),
    )
    listener = HttpListener(parts, tls=tls)
    await listener.start("127.0.0.1", 0)
    try:
        yield listener
    finally:
        await listener.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in this process."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def is_served(port: int) -> bool:
    """Return whether a good request is answered."""
    return status_of(await exchange(port, LAST_GET)) == 200


class TestPatience:
    """How long a peer may do nothing."""

    @pytest.mark.parametrize(
        ("sent", "limits"),
        [
            (b"GET / HTTP/1.1\r\nHo", HttpLimits(connections=10, idle_s=60, head_s=SHORT_S)),
            (GET + b"GET / HTTP/1.1\r\n", HttpLimits(connections=10, idle_s=SHORT_S, head_s=60)),
            (b"", HttpLimits(connections=10, idle_s=SHORT_S)),
            (GET, HttpLimits(connections=10, idle_s=SHORT_S)),
        ],
        ids=["within a head", "within the head behind a request", "before the first request", "after a request"],
    )
    async def test_ends(self, sent: bytes, limits: HttpLimits) -> None:
        """The connection is closed, without an answer to what is no request yet."""
        service = Service()
        async with listening(service, limits) as listener:
            received = await exchange(listener.port, sent)

            assert sent.count(GET) == received.count(b"HTTP/1.1 200")
            assert b"HTTP/1.1 4" not in received
            assert await is_served(listener.port)
        assert [] == service.reported

    async def test_with_a_second_head_does_not_touch_the_first_request(self) -> None:
        """It is answered before the connection is closed."""
        service = Service()
        async with listening(service, HttpLimits(connections=10, idle_s=60, head_s=SHORT_S)) as listener:
            connection = await connect(listener.port)
            connection.send(GET.replace(b"/ ", b"/hold "))
            await service.held.wait()
            connection.send(b"GET /")
            (open_one,) = listener._connections.open
            await until(lambda: open_one._close)
            service.release.set()
            received = await connection.everything()
            await connection.close()

        assert (1, b"done") == (received.count(b"HTTP/1.1 "), body_of(received))

    async def test_with_a_peer_that_reads_nothing_ends(self) -> None:
        """No worker waits for it."""
        service = Service()
        service.answer = HttpAnswer(200, b"x" * 2**24)
        async with listening(service, HttpLimits(connections=10, idle_s=60, send_s=SHORT_S)) as listener:
            with socket.create_connection(("127.0.0.1", listener.port)) as peer:
                peer.sendall(GET)
                await until(lambda: bool(listener._connections.open))
                await until(lambda: not listener._connections.open)
            service.answer = HttpAnswer(200, b"done")

            assert await is_served(listener.port)


class TestSize:
    """How much of a peer's is kept while it does not finish."""

    @pytest.mark.parametrize("before", [b"", GET, GET * 40], ids=["alone", "behind a request", "behind many"])
    async def test_of_an_unfinished_head_is_limited(self, before: bytes) -> None:
        """The connection is closed before its time is over, although each line is short enough."""
        head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 4000) for n in range(20))
        async with listening(Service(), HttpLimits(connections=10, idle_s=60, head_s=60)) as listener:
            received = await exchange(listener.port, before + head)

            assert bool(before) == (b"HTTP/1.1 200" in received)
            assert await is_served(listener.port)

    async def test_of_a_head_may_be_a_long_line(self) -> None:
        """Proxies add lines of some kilobytes."""
        async with listening(Service()) as listener:
            request = LAST_GET[:-2] + b"X-Forwarded-Client-Cert: " + b"a" * 8000 + b"\r\n\r\n"

            assert 200 == status_of(await exchange(listener.port, request))

    async def test_that_is_received_at_once_is_limited(self) -> None:
        """A thousand connections cannot fill the memory between two turns of the event loop."""
        service = Service()
        async with listening(service) as listener:
            connection = await _sent(listener, GET.replace(b"/ ", b"/hold "))
            await service.held.wait()
            (open_one,) = listener._connections.open
            assert open_one._wire is not None
            accepted = open_one._wire.get_extra_info("socket")

            # The kernel doubles what is asked for.
            assert 2 * 2**15 >= accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            service.release.set()
            await connection.close()


class TestLimitOfConnections:
    """How many a listener has."""

    async def test_closes_the_oldest_idle_one_of_a_thousand(self) -> None:
        """The newest is served."""
        async with listening(Service(), HttpLimits(connections=1000, idle_s=60)) as listener:
            idle = [await connect(listener.port) for _ in range(1000)]
            await until(lambda: len(listener._connections.open) == 1000)

            assert await is_served(listener.port)
            assert b"" == await idle[0].everything()
            idle[1].send(LAST_GET)
            assert 200 == status_of(await idle[1].everything())
            for connection in idle:
                await connection.close()

    async def test_spares_requests_and_half_heads_before_idle_ones(self) -> None:
        """What a peer has begun is worth more than what it keeps open."""
        service = Service()
        async with listening(service, HttpLimits(connections=3, idle_s=60)) as listener:
            busy = await _sent(listener, GET.replace(b"/ ", b"/hold "))
            await service.held.wait()
            begun = await _sent(listener, GET[:10])
            await until(lambda: any(connection.is_within_head for connection in listener._connections.open))
            idle = await connect(listener.port)
            await until(lambda: len(listener._connections.open) == 3)

            assert await is_served(listener.port)
            assert b"" == await idle.everything()
            begun.send(GET[10:])
            assert 200 == status_of(await begun.answer())
            service.release.set()
            assert 200 == status_of(await busy.answer())
            for connection in (busy, begun, idle):
                await connection.close()

    async def test_refuses_where_all_are_busy(self) -> None:
        """None of them is lost, and afterwards there is room."""
        service = Service()
        async with listening(service, HttpLimits(connections=2, idle_s=60)) as listener:
            busy = [await _sent(listener, LAST_GET.replace(b"/ ", b"/hold ")) for _ in range(2)]
            await until(lambda: listener._connections.requests_count == 2)
            refused = await exchange(listener.port, GET)
            service.release.set()
            answers = [status_of(await connection.everything()) for connection in busy]
            await until(lambda: not listener._connections.open)

            assert (b"", [200, 200]) == (refused, answers)
            assert await is_served(listener.port)
            for connection in busy:
                await connection.close()


async def _sent(listener: HttpListener, data: bytes) -> Connection:
    connection = await connect(listener.port)
    connection.send(data)
    return connection


class Certificates:
    """A listener's certificate in files, and what clients trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = Authority()
        self.replace()

    def replace(self) -> None:
        """Write another certificate."""
        certificate, key = self._authority.issue("127.0.0.1").write(self._folder, "tls")
        self.context = tls_context(HubTlsSettings(certificate, key))

    def client(self, *, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
        """Return what a client connects with."""
        context = ssl.create_default_context(cadata=self._authority.certificate.decode())
        context.maximum_version = newest
        return context


class TestTls:
    """Encrypted connections."""

    @pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_are_served(self, tmp_path: Path, newest: ssl.TLSVersion) -> None:
        """From TLS 1.2 on."""
        certificates = Certificates(tmp_path)
        async with listening(Service(), tls=lambda: certificates.context) as listener:
            answer = await exchange(listener.port, LAST_GET, tls=certificates.client(newest=newest))

        assert (200, b"done") == (status_of(answer), body_of(answer))

    async def test_before_1_2_are_refused(self, tmp_path: Path) -> None:
        """The same message is taken from a client that knows 1.2, and the next connection is served."""
        certificates = Certificates(tmp_path)
        async with listening(Service(), tls=lambda: certificates.context) as listener:
            first_bytes = []
            with listening_to_logs() as said:
                for version in (b"\x03\x03", b"\x03\x02"):
                    connection = await _sent(listener, hello(version))
                    if version == b"\x03\x03":
                        first_bytes.append(await connection._reader.read(1))
                    else:
                        first_bytes.append((await connection.everything())[:1])
                    await connection.close()
            answer = await exchange(listener.port, LAST_GET, tls=certificates.client())

        # 22: the server's hello. asyncio closes the connection before it has sent the alert, 21.
        assert first_bytes[0] == b"\x16"
        assert first_bytes[1] in {b"", b"\x15"}
        assert 200 == status_of(answer)
        assert [] == said.events

    async def test_get_the_newest_certificate(self, tmp_path: Path) -> None:
        """Open ones keep theirs and stay open."""
        certificates = Certificates(tmp_path)
        async with listening(Service(), tls=lambda: certificates.context) as listener:
            old = await connect(listener.port, tls=certificates.client())
            certificates.replace()
            new = await connect(listener.port, tls=certificates.client())
            shown = [one._writer.get_extra_info("ssl_object").getpeercert(binary_form=True) for one in (old, new)]
            old.send(GET)

            assert 200 == status_of(await old.answer())
            assert shown[0] != shown[1]
            await old.close()
            await new.close()

    @pytest.mark.parametrize("sent", [GET, b"", hello(b"\x03\x03")[:20]], ids=["plaintext", "nothing", "half a hello"])
    async def test_that_do_not_begin_are_closed(self, tmp_path: Path, sent: bytes) -> None:
        """They count as connections, and take no place for long."""
        certificates = Certificates(tmp_path)
        limits = HttpLimits(connections=10, idle_s=60, handshake_s=SHORT_S)
        async with listening(Service(), limits, lambda: certificates.context) as listener:
            with listening_to_logs() as said:
                received = await exchange(listener.port, sent)
                await until(lambda: not listener._connections.beginning)
            answer = await exchange(listener.port, LAST_GET, tls=certificates.client())

        assert b"HTTP" not in received
        assert (200, []) == (status_of(answer), said.events)

    async def test_that_do_not_begin_give_way(self, tmp_path: Path) -> None:
        """A stranger that opens all connections and says nothing keeps none out."""
        certificates = Certificates(tmp_path)
        limits = HttpLimits(connections=3, idle_s=60, handshake_s=60)
        async with listening(Service(), limits, lambda: certificates.context) as listener:
            silent = [await connect(listener.port) for _ in range(3)]
            await until(lambda: len(listener._connections.beginning) == 3)
            answer = await exchange(listener.port, LAST_GET, tls=certificates.client())

            assert 200 == status_of(answer)
            assert b"" == await silent[0].everything()
            for connection in silent:
                await connection.close()


class TestDrain:
    """The end of a listener."""

    async def test_lets_requests_end(self) -> None:
        """No other connection is accepted, idle ones are closed, and answers say so."""
        service = Service()
        async with listening(service) as listener:
            idle = await connect(listener.port)
            busy = await _sent(listener, GET.replace(b"/ ", b"/hold "))
            await service.held.wait()
            draining = asyncio.ensure_future(listener.drain(timeout_s=60))
            closed = await idle.everything()
            with pytest.raises(ConnectionError):
                await connect(listener.port)
            service.release.set()
            answer = await busy.everything()
            left = await draining
            await idle.close()
            await busy.close()

        assert (b"", 200, "close", 0) == (closed, status_of(answer), headers_of(answer)["connection"], left)

    async def test_announced_closes_connections_after_their_answers(self) -> None:
        """So that peers open them elsewhere while new ones are still accepted."""
        async with listening(Service()) as listener:
            listener.begin_drain()
            answer = await exchange(listener.port, GET)

        assert (200, "close") == (status_of(answer), headers_of(answer)["connection"])

    async def test_reports_what_does_not_end(self) -> None:
        """It waits no longer than it is given."""
        service = Service()
        async with listening(service) as listener:
            busy = await _sent(listener, GET.replace(b"/ ", b"/hold "))
            await service.held.wait()
            left = await listener.drain(timeout_s=SHORT_S)
            service.release.set()
            await busy.close()

        assert 1 == left


class TestAddresses:
    """Where a listener listens."""

    async def test_in_use_are_named(self) -> None:
        """The operator reads why it does not start."""
        async with listening(Service()) as listener:
            with pytest.raises(OSError, match="in use"):
                await HttpListener(listener._service).start("127.0.0.1", listener.port)

    async def test_of_one_name_are_all_listened_on(self) -> None:
        """A name may have an address of each version."""
        service = Service()
        async with listening(service) as listener:
            other = HttpListener(listener._service)
            await other.start("localhost", 0)
            answer = await exchange(other.port, LAST_GET)
            await other.close()

        assert 200 == status_of(answer)

    async def test_are_free_again_after_a_start_that_ends_at_once(self) -> None:
        """Before any task of the listener has begun."""
        async with listening(Service()) as listener:
            other = HttpListener(listener._service)
            await other.start("127.0.0.1", 0)
            await other.close()

            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", other.port)
