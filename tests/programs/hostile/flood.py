"""Calls at a rate that waits for no answer, made by hand in a process of its own; it prints what became of them."""

import argparse
import asyncio
import os
import sys
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Final

import msgspec
import uvloop
from harness.http2 import RST_STREAM, frame

from programs.hostile.arena import SERVICE, session_of
from programs.hostile.frames import call_head, message
from programs.hostile.peer import Peer, Stream, connect

_CONNECTIONS: Final = 8
_TICK_S: Final = 0.005
_CANCEL: Final = 0x8
_ID: Final = b"00000000-0000-0000-0000-000000000000"
_OK: Final = 0
_RETRY_S: Final = 1.0
"""What RetryInfo of an overloaded service asks for on average."""


class Tally(msgspec.Struct):
    """What became of the calls of a load."""

    sent: int = 0
    ok: int = 0
    refused: int = 0
    """Errors that say what became of the call."""
    bare: int = 0
    """Errors of gRPC itself, which callers must take for an unknown outcome."""
    late: int = 0
    """No answer by the deadline; the caller hung up."""
    seconds: float = 0.0

    def count(self, stream: Stream) -> None:
        """Count a call that was answered."""
        if stream.trailers is not None and stream.trailers.code == _OK and stream.has_message:
            self.ok += 1
        elif stream.trailers is not None and stream.trailers.has_outcome:
            self.refused += 1
        else:
            self.bare += 1


class Flood:
    """A load over some connections."""

    def __init__(self, *, tenant: str, deadline_s: float, in_flight: int) -> None:
        """Prepare the calls: all alike but for the id."""
        self.tally = Tally()
        self._deadline_s = deadline_s
        self._in_flight = in_flight
        self._open = 0
        self._obeys = False
        self._head = call_head(f"{SERVICE}/CreateSession", (b"grpc-timeout", b"%dm" % (deadline_s * 1000)))
        request = session_of(tenant)
        request.request_id = _ID.decode()
        self._before, _, self._after = request.SerializeToString().partition(_ID)
        self._run = os.urandom(4).hex().encode()
        self._by_age: deque[tuple[Peer, Stream]] = deque()

    async def run(self, port: int, *, calls_per_s: float, seconds: float) -> Tally:
        """Call for some seconds and wait for the last answers."""
        peers = [await connect(port, self._ended) for _ in range(_CONNECTIONS)]
        # A caller that waits for its answers also waits before it resends what was refused.
        self._obeys = not calls_per_s
        began_s, due = perf_counter(), 0.0
        while (elapsed_s := perf_counter() - began_s) < seconds:
            due = elapsed_s * calls_per_s if calls_per_s else self.tally.sent + self._in_flight - self._open
            while self.tally.sent < due and self._open < self._in_flight:
                self._call(peers[self.tally.sent % len(peers)])
            self._hang_up()
            await asyncio.sleep(_TICK_S)
        self.tally.seconds = perf_counter() - began_s
        while self._open:
            self._hang_up()
            await asyncio.sleep(_TICK_S)
        for peer in peers:
            peer.close()
        return self.tally

    def _call(self, peer: Peer) -> None:
        request_id = b"%s-%027d" % (self._run, self.tally.sent)
        stream = peer.open(self._head)
        peer.send(stream, message(self._before + request_id + self._after))
        self._by_age.append((peer, stream))
        self.tally.sent += 1
        self._open += 1

    def _ended(self, stream: Stream) -> None:
        refused = self.tally.refused
        self.tally.count(stream)
        if self._obeys and self.tally.refused > refused:
            asyncio.get_running_loop().call_later(_RETRY_S, self._free)
        else:
            self._free()

    def _free(self) -> None:
        self._open -= 1

    def _hang_up(self) -> None:
        """Leave the calls whose deadline has passed, as clients do."""
        latest_s = perf_counter() - self._deadline_s
        while self._by_age and (self._by_age[0][1].ended_s or self._by_age[0][1].began_s < latest_s):
            peer, stream = self._by_age.popleft()
            if not stream.ended_s:
                self.tally.late += 1
                self._open -= 1
                peer.write(frame(RST_STREAM, _CANCEL.to_bytes(4, "big"), stream=stream.number))
            peer.forget(stream)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print the tally as a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m programs.hostile.flood", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--rate", type=float, required=True, help="calls per second; 0: as many as are answered")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--in-flight", type=int, required=True, help="at most")
    parser.add_argument("--deadline", type=float, required=True, help="of each call, in seconds")
    options = parser.parse_args(arguments)
    flood = Flood(tenant=options.tenant, deadline_s=options.deadline, in_flight=options.in_flight)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tally = runner.run(flood.run(options.port, calls_per_s=options.rate, seconds=options.seconds))
    sys.stdout.buffer.write(msgspec.json.encode(tally) + b"\n")


if __name__ == "__main__":
    main()
