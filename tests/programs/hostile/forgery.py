"""Attacks on the log: what a peer sends must never become a line of it."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from harness.http2 import CONTINUATION, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, frame

from programs.hostile.arena import SERVICE, Arena
from programs.hostile.before_admission import until
from programs.hostile.figures import Figure, at_least
from programs.hostile.frames import MAX_FRAME_BYTES, call_head, message
from programs.hostile.log_reader import FORGED
from programs.hostile.peer import connect
from programs.hostile.scenario import Scenario

_GOODBYES: Final = 50
_FLOOD_S: Final = 4.0
_TIMEOUTS: Final = (b"", b"1", b"S", b"-1S", b"999999999S", b"1s", b"1.5S", b"1 S")
_ANSWERED_S: Final = 5.0
_LINE: Final = (
    b'\n{"event":"access","level":"info","timestamp":"2026-01-01T00:00:00Z","decision":"allowed","caller":"'
    + FORGED
    + b'"}\n'
)
_METHOD: Final = f"{SERVICE}/GetIntent"


async def goodbyes(arena: Arena) -> Sequence[Figure]:
    """End connections with a line of the audit as the reason."""
    for _ in range(_GOODBYES):
        peer = await connect(arena.service.grpc_port)
        peer.write(frame(GOAWAY, bytes(4) + ENHANCE_YOUR_CALM.to_bytes(4, "big") + _LINE))
        await until(lambda: peer.closed, 0.1)  # noqa: B023 - asked at once
        peer.close()
    return (Figure("connections ended with a forged line", _GOODBYES),)


async def continuations(arena: Arena) -> Sequence[Figure]:
    """Send heads that never end, on one connection after the other."""
    began_s, connections, sent = perf_counter(), 0, 0
    endless = frame(CONTINUATION, (_LINE * MAX_FRAME_BYTES)[:MAX_FRAME_BYTES], stream=1)
    while perf_counter() - began_s < _FLOOD_S:
        peer = await connect(arena.service.grpc_port)
        connections += 1
        peer.write(frame(HEADERS, call_head(_METHOD), stream=1))
        while not peer.closed and peer.goodbye is None and perf_counter() - began_s < _FLOOD_S:
            peer.write(endless)
            sent += 1
            await asyncio.sleep(0.001)
        peer.close()
    return (Figure("connections used", connections), Figure("frames sent", sent))


async def malformed_timeouts(arena: Arena) -> Sequence[Figure]:
    """Send deadlines that are none."""
    peer = await connect(arena.service.grpc_port)
    for text in _TIMEOUTS:
        peer.send(peer.open(call_head(_METHOD, (b"grpc-timeout", text))), message(b""))
    await until(lambda: all(stream.ended_s for stream in peer.streams.values()), _ANSWERED_S)
    answered = sum(bool(stream.ended_s) for stream in peer.streams.values())
    explained = sum(bool(stream.trailers and stream.trailers.has_outcome) for stream in peer.streams.values())
    peer.close()
    return (
        Figure(f"of {len(_TIMEOUTS)} answered", answered, at_least(len(_TIMEOUTS))),
        Figure("of them with an outcome", explained),
    )


SCENARIOS: Final = (
    Scenario("forged-lines", "A peer's text is no line of the log.", goodbyes),
    Scenario("continuation-flood", "Endless heads are cut off and leave no line.", continuations),
    Scenario("malformed-timeouts", "Deadlines that are none are answered and leave no line.", malformed_timeouts),
)
