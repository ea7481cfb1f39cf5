"""Serving the application over a real socket, where a cut connection is a cut connection."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from zuora_emulator.answers import ConnectionCut
from zuora_emulator.app import STALE, Emulator
from zuora_emulator.clock import SystemClock

_LINGER_OFF = struct.pack("ii", 1, 0)
"""Linger on, for no time: closing sends a reset instead of an orderly end."""
_GRACE_S = 1
"""How long a call in flight may go on when the server stops."""
_BACKLOG = 1024


class _Connections:
    """The open connections by the address of their peer."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], tuple[asyncio.Transport, asyncio.Event]] = {}
        self.stale: set[tuple[str, int]] = set()
        """Peers whose next call is cut."""
        self._calls: set[asyncio.Task[None]] = set()
        self.ended = False
        """Whether calls were cut because the server ends."""

    def opened(self, transport: asyncio.Transport) -> None:
        self._open[_peer_of(transport)] = (transport, asyncio.Event())

    def closed(self, transport: asyncio.Transport) -> None:
        self.stale.discard(_peer_of(transport))
        _, event = self._open.pop(_peer_of(transport), (None, asyncio.Event()))
        event.set()

    def begin(self) -> None:
        """Remember the task of a call."""
        if task := asyncio.current_task():
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    def end(self) -> None:
        """Cut what is left: a call in progress gets no answer, rather than one of uvicorn that Zuora never gives."""
        self.ended = True
        for transport, _ in self._open.values():
            transport.abort()
        for task in self._calls:
            task.cancel()

    async def cut(self, peer: tuple[str, int]) -> None:
        """Reset the connection, and come back when it is gone."""
        if peer not in self._open:
            return
        transport, gone = self._open[peer]
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        transport.abort()
        await gone.wait()


def _peer_of(transport: asyncio.Transport) -> tuple[str, int]:
    host, port = transport.get_extra_info("peername")[:2]
    return host, port


def _protocol(connections: _Connections) -> type[asyncio.Protocol]:
    class RegisteringProtocol(H11Protocol):
        """Uvicorn's protocol, which also tells who is connected."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            connections.opened(transport)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.closed(self.transport)
            super().connection_lost(exc)

    return RegisteringProtocol


def _cutting(app: ASGIApp, connections: _Connections) -> ASGIApp:
    async def cutting(scope: Scope, receive: Receive, send: Send) -> None:
        peer = tuple(scope["client"])
        if peer in connections.stale:
            await connections.cut(peer)
            return
        try:
            connections.begin()
            scope[STALE] = lambda: connections.stale.add(peer)
            await app(scope, receive, send)
        except ConnectionCut:
            await connections.cut(peer)
        except asyncio.CancelledError:
            if not connections.ended:
                raise

    return cutting


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the loop, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def serving(emulator: Emulator, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the emulator in the running loop until the block ends.

    Args:
        emulator: what to serve.
        host: the address to listen on; loopback unless there is a reason.
        port: the port, 0 for any free one.

    Yields:
        The base URL, without a slash at its end.

    Raises:
        OSError: the address cannot be listened on.
    """
    connections = _Connections()
    config = uvicorn.Config(
        _cutting(emulator.app, connections),
        http=_protocol(connections),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the emulator's own clock writes it
    )
    server = _Server(config)
    with _listening_socket(host, port) as listener:
        bound_host, bound_port = listener.getsockname()[:2]
        task = asyncio.create_task(server.serve([listener]))  # noqa: TID251 - owned, and awaited, by this block
        due = asyncio.create_task(_run_due(emulator))  # noqa: TID251 - owned, and ended, by this block
        try:
            await server.listening.wait()
            yield f"http://{bound_host}:{bound_port}"
        finally:
            due.cancel()
            server.should_exit = True
            await asyncio.wait([task], timeout=_GRACE_S)
            connections.end()
            await task
            with contextlib.suppress(asyncio.CancelledError):
                await due


async def _run_due(emulator: Emulator) -> None:
    """Do what is due by the clock for as long as the emulator is served.

    A clock that a test moves is not waited for: the test, or `/_emulator/clock`, runs what is due.
    """
    upc, clock = emulator.upc, emulator.clock
    upc.changed = asyncio.Event()  # of this loop: an emulator may be served in one after another
    while isinstance(clock, SystemClock):
        upc.changed.clear()
        due = emulator.next_due()
        await clock.wait_for(upc.changed, None if due is None else max((due - clock.now()).total_seconds(), 0))
        await emulator.run_due()


def _listening_socket(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's delay off only for sockets that say they are TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
