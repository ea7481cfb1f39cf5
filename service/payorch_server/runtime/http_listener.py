"""Listens for HTTP: the limit of connections, TLS whose certificate may change, and the drain."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from payorch_server.runtime.http_connection import Connection, Connections, HttpService
from payorch_server.runtime.lifecycle import TaskOwner

_LOG: Final = structlog.get_logger("payorch.http")
_BACKLOG: Final = 1024
_RECEIVED_AT_ONCE: Final = 32_768
"""Bytes that a connection takes before they are looked at; the kernel makes it twice as many."""
_ACCEPT_AGAIN_S: Final = 1.0
_CLOSE_WAIT_S: Final = 1.0
_TLS_END_S: Final = 5.0
"""How long a closed connection waits for its peer to end TLS."""
_IN_USE: Final = 3


class HttpListener:
    """A listener; `close` ends it."""

    def __init__(self, service: HttpService, *, tls: Callable[[], ssl.SSLContext] | None = None) -> None:
        """Make a listener that does not listen yet.

        Args:
            service: What it does with requests.
            tls: Returns what a new connection is encrypted with at this moment; None: plaintext.
        """
        self.port = 0
        self._service = service
        self._connections = Connections(service)
        self._tls = tls
        self._tasks = TaskOwner()
        self._accepting: list[asyncio.Task[None]] = []
        self._sockets: list[socket.socket] = []

    async def start(self, host: str, port: int) -> None:
        """Listen on each address of the host; port 0 takes a free one.

        Raises:
            OSError: An address cannot be listened on.
        """
        sockets = await _bind(host, port)
        self.port = int(sockets[0].getsockname()[1])
        self._sockets = sockets
        self._accepting = [self._tasks.start(self._accept(bound), name="http accept") for bound in sockets]

    def begin_drain(self) -> None:
        """From now on close connections after their next answer, so that peers open them elsewhere."""
        self._connections.is_draining = True

    async def drain(self, *, timeout_s: float) -> int:
        """Accept no more connections, close those without a request, and wait for the others.

        Returns:
            How many are left after the timeout.
        """
        self.begin_drain()
        await self._stop_accepting()
        open_ones = self._connections.open
        for connection in tuple(open_ones):
            if connection.is_waiting and not connection.is_within_head:
                connection.force_close()
        self._connections.none_open.clear()
        if open_ones:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._connections.none_open.wait()
            except TimeoutError:
                pass
        return len(open_ones)

    async def close(self) -> None:
        """End everything, requests in progress too."""
        await self._stop_accepting()
        await self._tasks.close()
        self._connections.pre_shutdown()
        await self._connections.shutdown(_CLOSE_WAIT_S)

    async def _stop_accepting(self) -> None:
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        # Here, because a task that is cancelled before it begins closes nothing.
        for bound in self._sockets:
            bound.close()

    async def _accept(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(bound)
            except OSError as error:
                # Too many open files, say: those that wait are accepted later.
                _LOG.error("http_accept_failed", error=error.strerror)
                await asyncio.sleep(_ACCEPT_AGAIN_S)
            else:
                self._admit(accepted)

    def _admit(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        if not self._make_room():
            accepted.close()
            return
        connection, beginning = self._connections(), self._connections.beginning
        task = self._tasks.start(self._connect(connection, accepted), name="http connection")
        beginning[connection] = task
        task.add_done_callback(lambda _task: beginning.pop(connection, None))

    def _make_room(self) -> bool:
        """Return whether there is room for another connection, after closing the most dispensable one if need be."""
        # 1. There is room.
        open_ones, beginning = self._connections.open, self._connections.beginning
        if len(open_ones) + len(beginning) < self._service.limits.connections:
            return True
        # 2. Of an open one the peer has wanted nothing for longest, or it does not finish asking.
        least = min(open_ones, key=_cost, default=None)
        if least is not None and _cost(least) < _IN_USE:
            self._connections.forget(least)
            least.abort()
            return True
        # 3. The oldest handshake lasts longest.
        oldest = next(iter(beginning), None)
        if oldest is not None:
            beginning.pop(oldest).cancel()
        return oldest is not None

    async def _connect(self, connection: Connection, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        context = self._tls() if self._tls is not None else None
        limit_s = self._service.limits.handshake_s
        try:
            if context is None:
                await loop.connect_accepted_socket(lambda: connection, accepted)
            else:
                await loop.connect_accepted_socket(
                    lambda: connection,
                    accepted,
                    ssl=context,
                    ssl_handshake_timeout=limit_s,
                    ssl_shutdown_timeout=_TLS_END_S,
                )
        except OSError:
            # No TLS, an old version, or the peer left; the text of the error quotes what it sent.
            accepted.close()
        except asyncio.CancelledError:
            accepted.close()
            raise


def _cost(connection: Connection) -> int:
    """Return what closing costs."""
    if connection.is_closing:
        return 0
    if not connection.is_waiting:
        return _IN_USE
    return 2 if connection.is_within_head else 1


async def _bind(host: str, port: int) -> list[socket.socket]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            bound = socket.socket(family, kind, protocol)
            sockets.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_AT_ONCE)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.setblocking(False)
            bound.bind(address)
            bound.listen(_BACKLOG)
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets
