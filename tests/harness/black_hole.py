"""Addresses that take a connection attempt and never give anything back."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from harness.raw_server import listening

# The kernel keeps one or two connections more than a backlog of 0 says; the attempts after that are dropped.
_MAX_BACKLOG = 16


class SilentServer:
    """Accepts every connection, reads what comes, and never answers."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        """Connections so far."""
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Read a connection to its end."""
        self.accepted += 1
        async with self._changed:
            self._changed.notify_all()
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass

    async def until_accepted(self, connections: int) -> None:
        """Wait until it has accepted that many connections."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.accepted >= connections)


@asynccontextmanager
async def silent_server() -> AsyncIterator[SilentServer]:
    """Serve on a loopback port."""
    silent = SilentServer()
    # Room for every attempt: a full backlog would be another fault.
    async with listening(silent.serve, backlog=1024) as silent.port:
        yield silent


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
