"""A server whose connections are served by hand, and none of which outlives it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from payorch_server.runtime.lifecycle import TaskOwner

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection, which is closed when it returns."""


@asynccontextmanager
async def listening(serve: Serve, *, backlog: int = 100, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a loopback port, which it yields; at the end close every connection, those just accepted included.

    A server of asyncio loses what it accepts as it ends. The collector finds such a connection during a later test,
    which fails.
    """
    loop, tasks, listener = asyncio.get_running_loop(), TaskOwner(), socket.create_server(("127.0.0.1", 0))
    accepted, writers = list[socket.socket](), list[asyncio.StreamWriter]()

    async def run(connection: socket.socket) -> None:
        reader, writer = await _opened(connection, tls)
        writers.append(writer)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    def accept() -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            accepted.append(connection)
            tasks.start(run(connection), name="serve a connection")

    listener.setblocking(False)
    listener.listen(backlog)
    loop.add_reader(listener, accept)
    try:
        yield listener.getsockname()[1]
    finally:
        loop.remove_reader(listener)
        listener.close()
        await tasks.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
        for connection in accepted:
            connection.close()


async def _opened(
    connection: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the streams of a connection, after its handshake if there is one."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
