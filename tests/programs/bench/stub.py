"""A plain upstream: HTTP/1.1 with keep-alive that grants a token and creates sessions at once. Not the emulator."""

import asyncio
import sys
from typing import Final, cast

import uvloop

from programs.bench.workload import SESSION_TOKEN, SESSIONS_PATH, TOKEN_PATH

_END_OF_HEAD: Final = b"\r\n\r\n"
_TOKEN: Final = b'{"access_token":"%s","token_type":"bearer","expires_in":3599}' % (b"t" * 32)
_SESSION: Final = b'{"token":"%s"}' % SESSION_TOKEN.encode()


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the answers."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while self._transport is not None:
            head, found, rest = self._received.partition(_END_OF_HEAD)
            length = int(_header(head, b"content-length") or 0)
            if not found or len(rest) < length:
                return
            self._received = rest[length:]
            self._transport.write(_answer(head))


def _header(head: bytes, name: bytes) -> bytes:
    start = head.lower().find(b"\r\n" + name + b":")
    return head[start + len(name) + 3 :].partition(b"\r\n")[0].strip() if start >= 0 else b""


def _answer(head: bytes) -> bytes:
    if head.startswith(b"POST %s " % SESSIONS_PATH.encode()):
        echoed = b"zuora-track-id: %s\r\nzuora-request-id: %s\r\n" % (_header(head, b"zuora-track-id"), b"0" * 36)
        return _complete(b"200 OK", _SESSION, echoed)
    if head.startswith(b"POST %s " % TOKEN_PATH.encode()):
        return _complete(b"200 OK", _TOKEN)
    return _complete(b"404 Not Found", b"{}")


def _complete(status: bytes, body: bytes, headers: bytes = b"") -> bytes:
    fixed = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + fixed + headers + b"\r\n" + body


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
