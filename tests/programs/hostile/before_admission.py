"""Attacks that need no right and no valid call: what gRPC and the admin listener read before any of our code runs."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final

from harness.http2 import END_STREAM

from programs.hostile.arena import SERVICE, Arena
from programs.hostile.figures import Figure, at_least, at_most
from programs.hostile.frames import call_head, gzipped_zeros, message
from programs.hostile.peer import Peer, connect
from programs.hostile.scenario import Scenario
from programs.hostile.service import AttackError

_CREATE_SESSION: Final = f"{SERVICE}/CreateSession"
_WATCH: Final = "/grpc.health.v1.Health/Watch"
# Just below 16 MiB, a limit that gRPC services often have.
_BOMB_BYTES: Final = 16_672_358
_BOMBS: Final = 60
_UNFINISHED: Final = 40
# The largest message that grpc itself reads: twice max_request_bytes.
_LARGEST_BYTES: Final = 524_288
_STREAMS_OF_CONNECTION: Final = 1000
_CONNECTIONS: Final = 4
_HELD_S: Final = 5.0
# What is attacked here is room; how many can be begun in a second is the matter of the overload.
_STREAMS_PER_S: Final = 1000
_ANSWERED_S: Final = 15.0
_LOOK_S: Final = 0.05
_FILES_KEPT: Final = 1000
_HALF_REQUESTS: Final = 2000
_HALF_REQUEST: Final = b"GET /livez HTTP/1.1\r\nhost: payorch\r\n"
_MAX_HALF_OPEN: Final = 256
_HALF_HELD_S: Final = 15.0


@asynccontextmanager
async def _peers(port: int, count: int) -> AsyncIterator[list[Peer]]:
    """Open connections one after the other, as many as are accepted."""
    peers: list[Peer] = []
    try:
        for _ in range(count):
            try:
                peers.append(await connect(port))
            except OSError:
                break
        yield peers
    finally:
        for peer in peers:
            peer.close()


async def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition, at most some seconds; return how long that took."""
    began_s = perf_counter()
    while not condition() and perf_counter() - began_s < seconds:
        await asyncio.sleep(_LOOK_S)
    return perf_counter() - began_s


def _answered(peers: Sequence[Peer]) -> int:
    return sum(bool(stream.ended_s) for peer in peers for stream in peer.streams.values())


async def gzip_bombs(arena: Arena) -> Sequence[Figure]:
    """Send a megabyte that unpacks to a gigabyte, on one connection at once."""
    bomb = message(gzipped_zeros(_BOMB_BYTES), compressed=True)
    head = call_head(_CREATE_SESSION, (b"grpc-encoding", b"gzip"))
    async with _peers(arena.service.grpc_port, 1) as peers:
        for _ in range(_BOMBS):
            peers[0].send(peers[0].open(head), bomb)
        seconds = await until(lambda: _answered(peers) == _BOMBS, _ANSWERED_S)
        answered = _answered(peers)
    return (
        Figure(f"of {_BOMBS} bombs answered", answered, at_least(_BOMBS)),
        Figure("until the last answer, s", seconds, at_most(_ANSWERED_S)),
    )


async def unfinished_messages(arena: Arena) -> Sequence[Figure]:
    """Send large messages without their last byte, and wait."""
    part = message(bytes(_BOMB_BYTES - 1), announced_bytes=_BOMB_BYTES)
    async with _peers(arena.service.grpc_port, 1) as peers:
        for _ in range(_UNFINISHED):
            peers[0].send(peers[0].open(call_head(_CREATE_SESSION)), part, end=False)
        await until(lambda: _answered(peers) == _UNFINISHED, _HELD_S)
        answered = _answered(peers)
    return (Figure(f"of {_UNFINISHED} refused while they came", answered, at_least(_UNFINISHED)),)


async def largest_unfinished_messages(arena: Arena) -> Sequence[Figure]:
    """Send the largest messages that gRPC reads on all streams of some connections, without their last byte."""
    part = message(bytes(_LARGEST_BYTES - 1), announced_bytes=_LARGEST_BYTES)
    head = call_head(_CREATE_SESSION)
    async with _peers(arena.service.grpc_port, _CONNECTIONS) as peers:
        for _ in range(_STREAMS_OF_CONNECTION):
            for peer in peers:
                peer.send(peer.open(head), part, end=False)
            await asyncio.sleep(0)
        await until(lambda: not any(peer.unsent and not peer.closed for peer in peers), _HELD_S)
        await asyncio.sleep(_HELD_S)
        held = sum(len(peer.streams) - peer.unsent for peer in peers) - _answered(peers)
        answered = _answered(peers)
    sent = _CONNECTIONS * _STREAMS_OF_CONNECTION
    return (Figure(f"of {sent} held but for a byte", max(held, 0)), Figure("of them refused", answered))


async def idle_connections(arena: Arena) -> Sequence[Figure]:
    """Open connections and do nothing with them."""
    wanted = min(arena.lengths.connections, _files() - _FILES_KEPT)
    if wanted <= 0:
        raise AttackError(f"This process may open only {_files()} files; raise the limit (ulimit -n).")
    async with _peers(arena.service.grpc_port, wanted) as peers:
        await asyncio.sleep(_HELD_S)
        served = sum(not peer.closed for peer in peers)
    return (Figure(f"of {wanted} connections served", served),)


def _files() -> int:
    """Raise the number of files that this process may open as far as it may; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def watch_streams(arena: Arena) -> Sequence[Figure]:
    """Watch the health on as many streams as are accepted, without credentials."""
    block, request = call_head(_WATCH), message(b"")
    async with _peers(arena.service.grpc_port, -(-arena.lengths.streams // _STREAMS_OF_CONNECTION)) as peers:
        for _ in range(_STREAMS_OF_CONNECTION):
            for peer in peers:
                peer.send(peer.open(block), request)
            await asyncio.sleep(len(peers) / _STREAMS_PER_S)
        await asyncio.sleep(_HELD_S)
        watching = sum(len(peer.streams) for peer in peers) - _answered(peers)
    return (Figure(f"of {arena.lengths.streams} streams served", watching),)


async def calls_without_message(arena: Arena) -> Sequence[Figure]:
    """Begin unary calls and end them without a message."""
    block = call_head(_CREATE_SESSION)
    async with _peers(arena.service.grpc_port, -(-arena.lengths.streams // _STREAMS_OF_CONNECTION)) as peers:
        for _ in range(_STREAMS_OF_CONNECTION):
            for peer in peers:
                peer.open(block, flags=END_STREAM)
            await asyncio.sleep(len(peers) / _STREAMS_PER_S)
        await asyncio.sleep(_HELD_S)
        answered = _answered(peers)
    return (Figure(f"of {arena.lengths.streams} calls answered within {_HELD_S:.0f} s", answered),)


async def half_requests(arena: Arena) -> Sequence[Figure]:
    """Leave requests to the admin listener unfinished."""
    connections = []
    try:
        for _ in range(min(_HALF_REQUESTS, _files() - _FILES_KEPT)):
            reader, writer = await asyncio.open_connection("127.0.0.1", arena.service.admin_port)
            writer.write(_HALF_REQUEST)
            connections.append((reader, writer))
        await until(lambda: all(_over(reader) for reader, _ in connections), _HALF_HELD_S)
        still_open = sum(not _over(reader) for reader, _ in connections)
    finally:
        for _, writer in connections:
            writer.close()
    return (Figure(f"of {len(connections)} open after {_HALF_HELD_S:.0f} s", still_open, at_most(_MAX_HALF_OPEN)),)


def _over(reader: asyncio.StreamReader) -> bool:
    """Whether the other side has closed or reset a connection."""
    return reader.at_eof() or reader.exception() is not None


SCENARIOS: Final = (
    Scenario("gzip-bombs", "A megabyte of compressed messages costs no memory.", gzip_bombs),
    Scenario("unfinished-messages", "Messages over the limit are refused while they come.", unfinished_messages),
    Scenario(
        "largest-unfinished",
        "The largest messages on all streams of some connections fit into memory.",
        largest_unfinished_messages,
    ),
    Scenario(
        "idle-connections",
        "Connections without calls leave room for callers.",
        idle_connections,
        fills_connections=True,
    ),
    Scenario("watch-streams", "Health watches leave room for calls.", watch_streams),
    Scenario("no-message", "Calls without a message leave room for calls.", calls_without_message),
    Scenario("half-admin-requests", "Unfinished requests do not stop the probes.", half_requests),
)
