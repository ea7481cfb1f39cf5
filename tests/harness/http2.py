"""HTTP/2 by hand: what no well-behaved client sends, and how the service ends a connection."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8, 0x9
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
HEADER_TABLE, INITIAL_WINDOW = 0x1, 0x4
"""Settings: sizes in bytes."""
NO_ERROR, ENHANCE_YOUR_CALM = 0x0, 0xB
HEAD_BYTES = 9
"""What every frame begins with: length, kind, flags, stream."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The frame with which a server ends a connection."""

    code: int
    text: str


class Connection:
    """A connection without any call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, kind: int, *payloads: bytes) -> None:
        """Send frames of the connection, one for each payload, all at once: the server may hang up after any."""
        self._writer.write(b"".join(frame(kind, payload) for payload in payloads))

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield what comes: the kind of each frame and what is in it."""
        while True:
            head = await self._reader.readexactly(HEAD_BYTES)
            yield head[3], await self._reader.readexactly(int.from_bytes(head[:3], "big"))

    async def goodbye(self) -> Goodbye:
        """Wait for the server to end the connection; return how."""
        async for kind, payload in self.frames():
            if kind == GOAWAY:
                _, code = struct.unpack(">II", payload[:8])
                return Goodbye(code, payload[8:].decode())
        raise AssertionError("The connection ended without a word.")


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Return a frame; stream 0 is the connection. Source: RFC 9113, section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Connection]:
    """Open a connection in plaintext as a client does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    opened = Connection(reader, writer)
    writer.write(PREFACE)
    opened.send(SETTINGS, b"")
    try:
        yield opened
    finally:
        writer.close()
