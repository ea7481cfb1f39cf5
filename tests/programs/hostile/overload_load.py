"""Offers calls at a fixed rate over HTTP/2 written by hand, which costs a tenth of what a gRPC client would."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, cast

from programs.bench.workload import METHOD, REQUEST_ID_CHARACTERS, request

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_FRAME_HEAD_BYTES: Final = 9
# No dynamic table: every header of an answer is literal, so that words can be searched for.
_TABLE_SIZE, _INITIAL_WINDOW = 0x1, 0x4
_WINDOW_BYTES: Final = (1 << 31) - 1
_STREAMS_PER_CONNECTION: Final = 900
_TICK_S: Final = 0.002


@dataclass(slots=True)
class Counts:
    """What became of the calls that were offered."""

    offered: int = 0
    succeeded: int = 0
    overloaded: int = 0
    """Refused with reason OVERLOADED and outcome NOT_SENT."""
    bare: int = 0
    """Ended in another way, among them errors without CallOutcome."""
    unsent: int = 0
    """Not sent because every connection had as many calls open as it may."""
    succeeded_s: list[float] = field(default_factory=list)
    """How long the successes took."""
    overloaded_s: list[float] = field(default_factory=list)
    """How long the refusals took."""


class _Connection(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, counts: Callable[[], Counts], message: bytes, head: bytes) -> None:
        self._counts, self._message, self._head = counts, message, head
        self._received = bytearray()
        self._next_stream = 1
        self._began: dict[int, float] = {}
        self._with_data: set[int] = set()
        self.transport: asyncio.Transport | None = None
        self.ending = False

    @property
    def is_free(self) -> bool:
        """Whether it may have another call."""
        return self.transport is not None and not self.ending and len(self._began) < _STREAMS_PER_CONNECTION

    @property
    def open_calls(self) -> int:
        """How many calls have not ended."""
        return len(self._began)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what opens a connection."""
        # uvloop's transports are no asyncio.Transport.
        self.transport = cast("asyncio.Transport", transport)
        settings = _setting(_TABLE_SIZE, 0) + _setting(_INITIAL_WINDOW, _WINDOW_BYTES)
        window = (_WINDOW_BYTES - 65_535).to_bytes(4)
        self.transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW_UPDATE, 0, 0, window))

    def call(self) -> None:
        """Send one call, with a request id of its own."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        message = self._message.replace(b"#" * REQUEST_ID_CHARACTERS, secrets.token_hex(18).encode())
        data = b"\0" + len(message).to_bytes(4) + message
        self._began[stream] = perf_counter()
        self._write(_frame(_HEADERS, _END_HEADERS, stream, self._head) + _frame(_DATA, _END_STREAM, stream, data))

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        self._received += data
        for kind, flags, stream, payload in self._frames():
            if kind == _DATA:
                self._with_data.add(stream)
            if (kind in {_DATA, _HEADERS} and flags & _END_STREAM) or kind == _RST_STREAM:
                self._end(stream, payload)
            elif kind == _PING and not flags & _ACK:
                self._write(_frame(_PING, _ACK, 0, payload))
            elif kind == _SETTINGS and not flags & _ACK:
                self._write(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _GOAWAY:
                self.ending = True

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        at, received = 0, self._received
        while len(received) - at >= _FRAME_HEAD_BYTES:
            end = at + _FRAME_HEAD_BYTES + int.from_bytes(received[at : at + 3])
            if len(received) < end:
                break
            stream = int.from_bytes(received[at + 5 : at + 9])
            yield received[at + 3], received[at + 4], stream, bytes(received[at + _FRAME_HEAD_BYTES : end])
            at = end
        del received[:at]

    def _end(self, stream: int, trailers: bytes) -> None:
        began = self._began.pop(stream, None)
        if began is None:
            return
        counts, took_s = self._counts(), perf_counter() - began
        if stream in self._with_data:
            self._with_data.discard(stream)
            counts.succeeded += 1
            counts.succeeded_s.append(took_s)
        elif b"NOT_SENT" in trailers and b"grpc-status-details-bin" in trailers:
            counts.overloaded += 1
            counts.overloaded_s.append(took_s)
        else:
            counts.bare += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - of the protocol
        """Count what was not answered."""
        self._counts().bare += len(self._began)
        self._began.clear()
        self.transport = None


class Load:
    """Connections over which calls are offered."""

    def __init__(self, port: int, *, deadline_s: int = 5, connections: int = 8) -> None:
        self.counts = Counts()
        self._port, self._size = port, connections
        self._connections: list[_Connection] = []
        self._message = _message()
        self._head = b"".join(
            _literal(name, value)
            for name, value in (
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", METHOD.encode()),
                (b":authority", b"127.0.0.1"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
                (b"grpc-timeout", b"%dS" % deadline_s),
            )
        )

    async def open(self) -> None:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        while len(self._connections) < self._size:
            _, protocol = await loop.create_connection(
                lambda: _Connection(lambda: self.counts, self._message, self._head), "127.0.0.1", self._port
            )
            self._connections.append(protocol)

    def close(self) -> None:
        """Close them."""
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.close()

    @property
    def open_calls(self) -> int:
        """How many calls have not ended."""
        return sum(connection.open_calls for connection in self._connections)

    async def offer(self, *, calls_per_s: float, seconds: float) -> None:
        """Offer calls at a rate, whatever becomes of them."""
        began, offered = perf_counter(), 0
        while (now_s := perf_counter() - began) < seconds:
            for _ in range(int(now_s * calls_per_s) - offered):
                offered += 1
                self._call(offered)
            await self._refresh()
            await asyncio.sleep(_TICK_S)

    async def keep_open(self, *, calls: int, seconds: float) -> None:
        """Keep a number of calls open."""
        began, number = perf_counter(), 0
        while perf_counter() - began < seconds:
            for _ in range(calls - self.open_calls):
                number += 1
                self._call(number)
            await self._refresh()
            await asyncio.sleep(_TICK_S)

    async def settle(self, *, seconds: float = 8.0) -> float:
        """Wait until every call has ended; return how long that took."""
        began = perf_counter()
        while self.open_calls and perf_counter() - began < seconds:
            await asyncio.sleep(_TICK_S)
        return perf_counter() - began

    def _call(self, number: int) -> None:
        self.counts.offered += 1
        for offset in range(len(self._connections)):
            connection = self._connections[(number + offset) % len(self._connections)]
            if connection.is_free:
                connection.call()
                return
        self.counts.unsent += 1

    async def _refresh(self) -> None:
        if any(connection.ending or connection.transport is None for connection in self._connections):
            self._connections = [
                connection for connection in self._connections if not connection.ending and connection.transport
            ]
            await self.open()


def percentile_s(took_s: Sequence[float], share: float) -> float:
    """Return a percentile of durations; 0 of none."""
    return sorted(took_s)[int(len(took_s) * share)] if took_s else 0.0


def _message() -> bytes:
    made = request()
    made.request_id = "#" * REQUEST_ID_CHARACTERS
    return made.SerializeToString()


def _literal(name: bytes, value: bytes) -> bytes:
    """Return a header field that is neither indexed nor compressed. Source: RFC 7541, section 6.2.2."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def _setting(name: int, value: int) -> bytes:
    return name.to_bytes(2) + value.to_bytes(4)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame. Source: RFC 9113, section 4.1."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload
