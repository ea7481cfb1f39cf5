"""A caller that speaks HTTP/2 by hand: cheap enough to flood, and free to break every rule but flow control."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, cast

from harness.http2 import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEAD_BYTES,
    HEADER_TABLE,
    HEADERS,
    INITIAL_WINDOW,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)

from programs.hostile.frames import MAX_FRAME_BYTES, Trailers, head_frame, trailers

_LARGEST_WINDOW: Final = 2**31 - 1
_FIRST_WINDOW: Final = 65_535
# No table, so that every name in an answer is written out; a window that no answer fills.
_OUR_SETTINGS: Final = frame(
    SETTINGS,
    HEADER_TABLE.to_bytes(2, "big") + bytes(4) + INITIAL_WINDOW.to_bytes(2, "big") + _LARGEST_WINDOW.to_bytes(4, "big"),
)
_OUR_WINDOW: Final = frame(WINDOW_UPDATE, (_LARGEST_WINDOW - _FIRST_WINDOW).to_bytes(4, "big"))


@dataclass(slots=True)
class Stream:
    """One call of a peer."""

    number: int
    began_s: float
    window: int
    has_message: bool = False
    """Whether the answer has a message: only a success has."""
    trailers: Trailers | None = None
    was_reset: bool = False
    ended_s: float = 0.0
    """By `perf_counter`; 0: it is open."""


class Peer(asyncio.Protocol):
    """A connection; every method may be called at any time, also after its end."""

    def __init__(self, ended: Callable[[Stream], None] | None = None) -> None:
        """Make a peer that calls a function at the end of each of its streams."""
        self.streams: dict[int, Stream] = {}
        self.goodbye: int | None = None
        """The code of the frame that ended the connection, if one came."""
        self.closed = False
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._next = 1
        self._window = self._first_window = _FIRST_WINDOW
        self._waiting: dict[int, tuple[Stream, memoryview, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin as a client does."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(PREFACE + _OUR_SETTINGS + _OUR_WINDOW)

    def connection_lost(self, _error: Exception | None) -> None:
        """End every stream."""
        self.closed = True
        for stream in self.streams.values():
            self._end(stream)

    def data_received(self, data: bytes) -> None:
        """Read every frame that is complete."""
        self._received += data
        while len(self._received) >= HEAD_BYTES:
            size = HEAD_BYTES + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                return
            head, payload = self._received[:HEAD_BYTES], bytes(self._received[HEAD_BYTES:size])
            del self._received[:size]
            self._read(head[3], head[4], int.from_bytes(head[5:], "big") & _LARGEST_WINDOW, payload)

    def write(self, raw: bytes) -> None:
        """Send bytes as they are."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw)

    def open(self, block: bytes, *, flags: int = 0) -> Stream:
        """Open a stream with a head."""
        stream = Stream(self._next, perf_counter(), self._first_window)
        self._next += 2
        self.streams[stream.number] = stream
        self.write(head_frame(block, stream=stream.number, flags=flags))
        return stream

    def send(self, stream: Stream, data: bytes, *, end: bool = True) -> None:
        """Send the only data of a stream as far as the windows allow, the rest as they open."""
        self._waiting[stream.number] = (stream, memoryview(data), END_STREAM if end else 0)
        self._pump(stream.number)

    def forget(self, stream: Stream) -> None:
        """Keep no state of a stream."""
        self.streams.pop(stream.number, None)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def unsent(self) -> int:
        """Streams whose data the windows hold back."""
        return len(self._waiting)

    def _pump_all(self) -> None:
        for number in [*self._waiting]:
            if self._window <= 0:
                return
            self._pump(number)

    def _pump(self, number: int) -> None:
        if number not in self._waiting:
            return
        stream, data, flags = self._waiting.pop(number)
        rest = self._send_some(stream, data, flags)
        if rest and not stream.ended_s:
            self._waiting[number] = (stream, rest, flags)

    def _send_some(self, stream: Stream, data: memoryview, flags: int) -> memoryview:
        """Send what the windows allow; return the rest."""
        while data and (size := min(len(data), MAX_FRAME_BYTES, self._window, stream.window)) > 0:
            last = size == len(data)
            self.write(frame(DATA, bytes(data[:size]), flags=flags if last else 0, stream=stream.number))
            self._window -= size
            stream.window -= size
            data = data[size:]
        return data

    def _read(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        stream = self.streams.get(number)
        if kind == SETTINGS and not flags & ACK:
            self._read_settings(payload)
        elif kind == PING and not flags & ACK:
            self.write(frame(PING, payload, flags=ACK))
        elif kind == WINDOW_UPDATE:
            self._open_window(stream, number, int.from_bytes(payload, "big"))
        elif kind == GOAWAY:
            self.goodbye = int.from_bytes(payload[4:8], "big")
        elif stream is not None:
            self._read_answer(stream, kind, flags, payload)

    def _read_answer(self, stream: Stream, kind: int, flags: int, payload: bytes) -> None:
        if kind == DATA:
            stream.has_message = stream.has_message or bool(payload)
        elif kind == HEADERS:
            stream.trailers = trailers(payload) or stream.trailers
        elif kind == RST_STREAM:
            stream.was_reset = True
        if kind == RST_STREAM or (kind in {DATA, HEADERS} and flags & END_STREAM):
            self._end(stream)

    def _read_settings(self, payload: bytes) -> None:
        for start in range(0, len(payload), 6):
            name, value = payload[start : start + 2], int.from_bytes(payload[start + 2 : start + 6], "big")
            if int.from_bytes(name, "big") == INITIAL_WINDOW:
                for stream in self.streams.values():
                    stream.window += value - self._first_window
                self._first_window = value
        self.write(frame(SETTINGS, flags=ACK))
        self._pump_all()

    def _open_window(self, stream: Stream | None, number: int, more: int) -> None:
        if number == 0:
            self._window += more
            self._pump_all()
        elif stream is not None:
            stream.window += more
            self._pump(number)

    def _end(self, stream: Stream) -> None:
        if not stream.ended_s:
            stream.ended_s = perf_counter()
            if self._ended is not None:
                self._ended(stream)


async def connect(port: int, ended: Callable[[Stream], None] | None = None) -> Peer:
    """Open a connection to a port of loopback.

    Raises:
        OSError: It is refused.
    """
    _, peer = await asyncio.get_running_loop().create_connection(lambda: Peer(ended), "127.0.0.1", port)
    return peer
