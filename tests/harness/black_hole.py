"""Addresses that take a connection attempt and never give anything back."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

# The kernel keeps one or two connections more than a backlog of 0 says; the attempts after that are dropped.
_MAX_BACKLOG = 16


class SilentServer:
    """Accepts every connection, reads what comes, and never answers."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        """Connections so far."""
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a connection to its end."""
        self.accepted += 1
        self._open.add(writer)
        async with self._changed:
            self._changed.notify_all()
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        writer.close()
        self._open.discard(writer)
        async with self._changed:
            self._changed.notify_all()

    async def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._open:
            writer.close()
        async with self._changed:
            await self._changed.wait_for(lambda: not self._open)

    async def until_accepted(self, connections: int) -> None:
        """Wait until it has accepted that many connections."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.accepted >= connections)


@asynccontextmanager
async def silent_server() -> AsyncIterator[SilentServer]:
    """Serve on a loopback port."""
    silent = SilentServer()
    # Room for every attempt: a full backlog would be another fault.
    server = await asyncio.start_server(silent.serve, "127.0.0.1", 0, backlog=1024)
    silent.port = server.sockets[0].getsockname()[1]
    try:
        yield silent
    finally:
        server.close()
        await silent.hang_up()


@contextmanager
def unaccepting_port() -> Iterator[int]:
    """Yield a loopback port whose backlog is full: the kernel drops further attempts, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(_MAX_BACKLOG):
            client = stack.enter_context(socket.socket())
            client.settimeout(0.1)
            try:
                client.connect(address)
            except TimeoutError:
                yield address[1]
                return
        raise AssertionError(f"{_MAX_BACKLOG} connections did not fill a backlog of 0")
