"""The proxy between the service and Zuora."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from harness.authority import Authority
from harness.forward_proxy import ForwardProxy
from harness.raw_server import listening
from opentelemetry.trace import NoOpTracer
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.transport import HttpPost, HttpResponse, Transports, open_transports

BODY = b'{"a":1}'
PASSWORD = "never-shown"
WAYS = ("of_calls", "of_others")


@dataclass(slots=True)
class Zuora:
    """A server with TLS that answers every request."""

    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while request := await reader.readuntil(BODY):
                self.heads.append(request)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()


@pytest_asyncio.fixture
async def zuora(tmp_path: Path) -> AsyncIterator[tuple[Zuora, str]]:
    """Yield a server and its address; the authority of its certificate is in ca.pem."""
    authority, served = Authority(), Zuora()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("127.0.0.1").write(tmp_path, "server"))
    async with await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=context) as server:
        yield served, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


async def opened(stack: AsyncExitStack, proxy_port: int, folder: Path, *, password: bool = True) -> Transports:
    """Return transports through a proxy."""
    return open_transports(
        settings=ZuoraHttpSettings(
            proxy_url=f"http://127.0.0.1:{proxy_port}",
            proxy_username="payorch" if password else "",
            ca_file=str(folder / "ca.pem"),
            connect_timeout_s=5.0,
        ),
        version="0",
        tracer=NoOpTracer(),
        deadlines=Deadlines(SystemClock()),
        stack=stack,
        proxy_password=Secret(PASSWORD) if password else None,
    )


async def sent(transports: Transports, way: str, url: str) -> HttpResponse | CallError:
    """Send once; return the answer or the error."""
    try:
        post = HttpPost(url, {"authorization": "Bearer of-zuora"}, BODY, "/x")
        return await getattr(transports, way).post(post, timeout_s=10.0)
    except CallError as error:
        return error


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
class TestProxy:
    """Either way onto the wire."""

    async def test_makes_a_tunnel_and_sees_nothing_of_what_passes(
        self, way: str, zuora: tuple[Zuora, str], tmp_path: Path
    ) -> None:
        """It gets its own credentials, and Zuora gets none of them."""
        proxy, (served, url) = ForwardProxy(), zuora
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(proxy.serve))
            answer = await sent(await opened(stack, port, tmp_path), way, url)

        assert isinstance(answer, HttpResponse)
        assert answer.status == 200
        expected = b"Basic " + base64.b64encode(f"payorch:{PASSWORD}".encode())
        assert proxy.heads[0].startswith(b"CONNECT " + url.removeprefix("https://").removesuffix("/x").encode())
        assert expected in proxy.heads[0]
        assert b"of-zuora" not in proxy.heads[0]
        assert b"proxy-authorization" not in served.heads[0].lower()

    async def test_asks_without_credentials_where_there_are_none(
        self, way: str, zuora: tuple[Zuora, str], tmp_path: Path
    ) -> None:
        """Many proxies know their clients by address."""
        proxy, (_, url) = ForwardProxy(), zuora
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(proxy.serve))
            answer = await sent(await opened(stack, port, tmp_path, password=False), way, url)

        assert isinstance(answer, HttpResponse)
        assert b"authorization" not in proxy.heads[0].lower()

    @pytest.mark.parametrize(
        "refusal",
        [
            b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\nnope",
            b"HTTP/1.1 302 Found\r\nlocation: http://login.test/\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 20",
            b"SSH-2.0-nothing\r\n",
            b"HTTP/1.1 200 OK\r\nx y: 1\r\n\r\n",
            b"",
        ],
        ids=["407", "502", "a redirect", "half a status line", "no HTTP", "a head that cannot be read", "nothing"],
    )
    async def test_that_makes_no_tunnel_has_sent_nothing(
        self, way: str, refusal: bytes, zuora: tuple[Zuora, str], tmp_path: Path
    ) -> None:
        """Whatever it answers; the error names the proxy, and shows neither password nor answer."""
        proxy, (served, url) = ForwardProxy(refusal), zuora
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(listening(proxy.serve))
            error = await sent(await opened(stack, port, tmp_path), way, url)

        assert isinstance(error, CallError)
        assert (error.failure.reason, error.verdict.outcome) == (Reason.UPSTREAM_UNREACHABLE, Outcome.NOT_SENT)
        assert "proxy" in error.failure.detail
        assert PASSWORD not in f"{error!r} {error.failure!r} {error.__cause__!r}"
        assert (len(proxy.heads), served.heads) == (1, [])

    async def test_that_cannot_be_reached_has_sent_nothing(
        self, way: str, zuora: tuple[Zuora, str], tmp_path: Path
    ) -> None:
        """Refused by its machine."""
        async with listening(ForwardProxy().serve) as port:
            pass
        async with AsyncExitStack() as stack:
            error = await sent(await opened(stack, port, tmp_path), way, zuora[1])

        assert isinstance(error, CallError)
        assert (error.failure.reason, error.verdict.outcome) == (Reason.UPSTREAM_UNREACHABLE, Outcome.NOT_SENT)
