"""A call of a gateway is sent once: whatever a server does with it, gRPC does not send it a second time by itself."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from harness.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
)
from harness.plugged import FACTS, hub_request, plugged
from harness.raw_server import listening
from payorch_server.upc.gateway_outcome import NoOutcome

pytestmark = pytest.mark.asyncio
REFUSED_STREAM, CANCEL = 0x7, 0x8
_UNIMPLEMENTED = 12


def status(stream: int, number: int) -> bytes:
    """Return a response without a message: `:status 200`, `content-type` and `grpc-status`, uncompressed."""
    block = b"\x88\x00\x0ccontent-type\x10application/grpc\x00\x0bgrpc-status\x02%d" % number
    return frame(HEADERS, block, flags=END_STREAM | END_HEADERS, stream=stream)


Ending = Callable[[int], bytes]
"""What a server writes when it has received a call, by number of the stream; nothing: it hangs up."""
ENDINGS: dict[str, Ending] = {
    # Both say that the call was not processed, after which gRPC by default sends it again.
    "refused": lambda stream: frame(RST_STREAM, struct.pack(">I", REFUSED_STREAM), stream=stream),
    "going away, not processed": lambda _: frame(GOAWAY, struct.pack(">II", 0, 0)),
    "cancelled": lambda stream: frame(RST_STREAM, struct.pack(">I", CANCEL), stream=stream),
    "unavailable": lambda stream: status(stream, 14),
    "hung up": lambda _: b"",
}


class CountingServer:
    """Speaks just enough HTTP/2 for a client to send a call, and counts the payments that arrive.

    It has no health service and does not describe itself, which it says.
    """

    def __init__(self, ending: Ending) -> None:
        self.streams: list[int] = []
        """Numbers of the streams on which a whole payment came."""
        self._ending = ending

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readexactly(len(PREFACE))
            writer.write(frame(SETTINGS))
            while True:
                await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
        payload = await reader.readexactly(int.from_bytes(head[:3]))
        if kind == SETTINGS and not flags & ACK:
            writer.write(frame(SETTINGS, flags=ACK))
        elif kind == PING and not flags & ACK:
            writer.write(frame(PING, payload, flags=ACK))
        elif kind == DATA and flags & END_STREAM:
            self._end_call(writer, stream, is_payment=FACTS.idempotency_key.encode() in payload)

    def _end_call(self, writer: asyncio.StreamWriter, stream: int, *, is_payment: bool) -> None:
        if not is_payment:
            writer.write(status(stream, _UNIMPLEMENTED))
            return
        self.streams.append(stream)
        if ending := self._ending(stream):
            writer.write(ending)
        else:
            writer.close()


@asynccontextmanager
async def counting_server(ending: Ending) -> AsyncIterator[tuple[CountingServer, str]]:
    """Serve on a loopback port; yields the server and its target."""
    counting = CountingServer(ending)
    async with listening(counting.serve) as port:
        yield counting, f"127.0.0.1:{port}"


class TestACall:
    """PluggedGateway.call."""

    @pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
    async def test_is_sent_once(self, ending: Ending) -> None:
        """And nothing is known of it: a proxy that refuses a stream may have handed it on before."""
        async with counting_server(ending) as (server, target), plugged(target) as hub:
            outcome = await hub.amazon.call(hub_request(), FACTS, deadline_s=hub.within(3))

            assert isinstance(outcome, NoOutcome)
            assert 1 == len(server.streams)

    async def test_would_be_sent_twice_by_a_channel_as_it_comes(self) -> None:
        """The server of this test is one that gRPC sends a call to again by default."""
        async with counting_server(ENDINGS["going away, not processed"]) as (server, target):
            async with grpc.aio.insecure_channel(target) as channel:
                rpc = channel.unary_unary("/payorch.v1.PaymentGatewayService/ProcessPayment")
                with pytest.raises(grpc.aio.AioRpcError):
                    await rpc(FACTS.idempotency_key.encode(), timeout=3)

            assert 2 == len(server.streams)
