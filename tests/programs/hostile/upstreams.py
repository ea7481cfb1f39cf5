"""Upstreams that are not Zuora as it should be: in one process, a port for each oddity.

They stand in for what the emulator cannot do: its answers are all of its own making.
"""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import uvloop

from programs.hostile.frames import gzipped_zeros

Ports = Mapping[str, int]
"""Where each of them listens, by its name, which is also that of its tenant."""
COUNTS_PATH: Final = "/_counts"
RETRY_AFTER_S: Final = 30
QUICK_S: Final = 0.05
_UNPACKED_BYTES: Final = 10**9
_TOKEN: Final = b'{"access_token":"%s","token_type":"bearer","expires_in":3599}' % (b"t" * 32)
_SESSION: Final = b'{"token":"%s"}' % (b"s" * 32)
_SLOT: Final = 8192


class _Upstreams:
    """What each of them does with a request, and how many came."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._zeros = gzipped_zeros(_UNPACKED_BYTES)
        self._never = asyncio.Event()
        self._tasks: set[asyncio.Task[None] | None] = set()
        """Those of the connections, which the loop itself would forget."""

    async def black_hole(self, _path: str) -> bytes:
        """Accept and never answer."""
        await self._never.wait()
        return b""

    async def zeros(self, path: str) -> bytes:
        """Answer with a gigabyte of zeros in a megabyte."""
        return _token_or(path, _answer(b"200 OK", self._zeros, b"content-encoding: gzip\r\n"))

    async def throttled(self, _path: str) -> bytes:
        """Grant no token for a while."""
        return _answer(b"429 Too Many Requests", b"{}", b"retry-after: %d\r\n" % RETRY_AFTER_S)

    async def quick(self, path: str) -> bytes:
        """Create sessions in 50 ms, at whatever rate."""
        await asyncio.sleep(QUICK_S)
        return _token_or(path, _answer(b"200 OK", _SESSION))

    async def control(self, _path: str) -> bytes:
        """Tell how many requests came, by name and path."""
        return _answer(b"200 OK", msgspec.json.encode(self.counts))

    def serve(self, name: str, respond: Callable[[str], Awaitable[bytes]]) -> Callable[..., Awaitable[None]]:
        """Return what a listener does with a connection."""

        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._tasks.add(asyncio.current_task())
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while path := await _request(reader):
                    self.counts[f"{name} {path}"] += 1
                    writer.write(await respond(path))
                    await writer.drain()
            writer.close()
            self._tasks.discard(asyncio.current_task())

        return connection


async def _request(reader: asyncio.StreamReader) -> str:
    """Read one request; return its path, or nothing at the end."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, length = head.partition(b"content-length:")
    await reader.readexactly(int(length.split(b"\r\n", 1)[0]) if found else 0)
    return head.split(b" ", 2)[1].decode()


def _token_or(path: str, answer: bytes) -> bytes:
    return _answer(b"200 OK", _TOKEN) if path == "/oauth/token" else answer


def _answer(status: bytes, body: bytes, headers: bytes = b"") -> bytes:
    fixed = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + fixed + headers + b"\r\n" + body


async def _serve() -> None:
    upstreams, ports = _Upstreams(), {}
    oddities = (upstreams.black_hole, upstreams.zeros, upstreams.throttled, upstreams.quick, upstreams.control)
    for respond in oddities:
        name = respond.__name__
        server = await asyncio.start_server(
            upstreams.serve(name, respond), "127.0.0.1", 0, backlog=1024, limit=_SLOT * 8
        )
        ports[name] = server.sockets[0].getsockname()[1]
    sys.stdout.buffer.write(msgspec.json.encode(ports) + b"\n")
    sys.stdout.buffer.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
