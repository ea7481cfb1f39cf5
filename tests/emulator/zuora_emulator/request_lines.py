"""One line per request on the terminal, written by a thread of its own: a terminal that is stopped stops no call.

12:00:00 POST /v1/payment-methods/decryption 200 10001/11111111-1111-4111-8111-111111111111 order-17
executed decryption payment_method_id=... payment_id=... 12.5 ms          (all on one line)
"""

import asyncio
import queue
import threading
from collections.abc import Iterator
from typing import TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zuora_emulator.app import REQUEST_ID, Emulator
from zuora_emulator.journal import Arrival

_MOST_WAITING = 10_000
_STOPS_WITHIN_S = 1


class LineWriter:
    """Writes lines to a stream from a thread; lines that the stream does not take in time are dropped and counted.

    Args:
        stream: Where lines go; when it breaks, the rest is dropped silently.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="request-lines", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Give a line to the thread; never waits."""
        try:
            if self._dropped:
                self._lines.put_nowait(f"({self._dropped} lines dropped)")
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for at most a second."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(_STOPS_WITHIN_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError):  # its reader left, or it was closed
                break
        while line is not None:
            line = self._lines.get()


def with_lines(emulator: Emulator, writer: LineWriter) -> ASGIApp:
    """Return the application of an emulator, which writes a line when a request has ended."""
    app = emulator.app

    async def writing(scope: Scope, receive: Receive, send: Send) -> None:
        status: int | None = None

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await app(scope, receive, noting)
        finally:
            duration_ms = (loop.time() - begun) * 1000
            writer.write(_line(emulator, scope, status, duration_ms))

    return writing


def _line(emulator: Emulator, scope: Scope, status: int | None, duration_ms: float) -> str:
    time = emulator.clock.now().strftime("%H:%M:%S")
    arrival = emulator.journal.with_request_id(scope[REQUEST_ID]) if REQUEST_ID in scope else None
    path = scope["path"] if arrival is None else arrival.path
    start = f"{time} {scope['method']} {path} {'-' if status is None else status}"
    words = [] if arrival is None else [*_caller(arrival), *_happened(emulator, arrival)]
    line = " ".join([start, *words, f"{duration_ms:.1f} ms"])
    return "".join(character if character.isprintable() else "?" for character in line)


def _caller(arrival: Arrival) -> Iterator[str]:
    yield f"{arrival.tenant or '-'}/{arrival.entity or '-'}"
    yield arrival.track_id or "-"


def _happened(emulator: Emulator, arrival: Arrival) -> Iterator[str]:
    yield arrival.outcome or "-"
    if arrival.fault:
        yield f"fault={arrival.fault}"
    for entry in emulator.ledger.of_request(arrival.request_id or ""):
        yield entry.operation
        yield from (f"{name}={value}" for name, value in entry.effects.items())
