"""Writes the lines of a stream in a thread of its own, so that no reader of the stream can block the event loop."""

import contextlib
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from payorch_server.runtime.clock import Clock, SystemClock

MAX_HELD_BYTES: Final = 4 * 1024 * 1024
"""How much waits for a reader at most; about 10,000 lines of the audit or 5,000 of the log."""
STALLED_AFTER_S: Final = 5.0
"""How long a write may make no progress before the stream counts as stalled."""
_RETRY_S: Final = 1.0
COLLECT_S: Final = 0.05
"""How long lines are collected before they are written, if nothing else is said. A thread that wakes takes the
interpreter from the event loop several times; once for each line was an eighth of the CPU time of a call."""
# A write to a pipe comes back when all of it is written: a small batch shows progress, however slow the reader.
_BATCH_BYTES: Final = 16 * 1024
_BATCH_LINES: Final = 100


@dataclass(slots=True)
class _Piece:
    """What is left to write of a line."""

    rest: bytes
    size: int
    """Of the whole line, bytes; 0 if it reports lost lines, which is no line that was offered."""


class LogWriter:
    """A bounded queue of lines, and the thread that writes them.

    Every line that is offered is either written or counted as lost. A line that cannot be written is tried again until
    it can; the queue then fills, and further lines are lost. Where lines are missing, a line reports how many.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        name: str,
        lost_line: Callable[[int], bytes],
        clock: Clock | None = None,
        max_bytes: int = MAX_HELD_BYTES,
        collect_s: float = COLLECT_S,
        turn: "threading.Lock | None" = None,
    ) -> None:
        """Start the thread.

        Args:
            descriptor: The file descriptor to write to. It stays open.
            name: Of the stream.
            lost_line: Returns the line that reports a number of lost lines.
            clock: Time; the machine's unless given.
            max_bytes: How much waits for a reader at most.
            collect_s: How long lines are collected; those of that time are lost if the process is killed.
            turn: Held while lines are written, if another writer has the same lock and writes to the same file. A write
                to a full pipe is made in parts, between which the other's could end up in the middle of a line.
        """
        self.name = name
        self.written = 0
        """Lines that were written."""
        self.lost = 0
        """Lines that will never be written."""
        self._descriptor = descriptor
        self._lost_line = lost_line
        self._clock = clock or SystemClock()
        self._max_bytes = max_bytes
        self._collect_s = collect_s
        self._turn = turn or threading.Lock()
        # Reentrant: in `write`, the garbage collector may destroy a task, of which the event loop then logs.
        self._lock = threading.RLock()
        self._waiting: queue.SimpleQueue[bytes | int | None] = queue.SimpleQueue()
        self._held_bytes = 0
        self._held_lines = 0
        self._unreported = 0
        self._writing_since_s: float | None = None
        self._failing = False
        self._closing = threading.Event()
        self._reader = select.poll()
        self._reader.register(descriptor, 0)
        self._abandoned = False
        # It may be blocked for ever, and must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"{name} writer", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"LogWriter({self.name}, {self._held_lines} lines held, {self.lost} lost)"

    @property
    def is_stalled(self) -> bool:
        """Whether lines do not get out: the reader is gone, the last write failed, or one makes no progress."""
        since_s = self._writing_since_s
        no_progress = since_s is not None and self._clock.monotonic() - since_s > STALLED_AFTER_S
        return no_progress or self._failing or self._reader_is_gone() or not self._thread.is_alive()

    def write(self, line: bytes) -> bool:
        """Queue a line, without its newline; never blocks. Return whether there was room for it."""
        size = len(line) + 1
        with self._lock:
            if self._closing.is_set() or self._held_bytes + size > self._max_bytes:
                self.count_lost()
                return False
            self._report_lost()
            self._held_bytes += size
            self._held_lines += 1
            self._waiting.put(line + b"\n")
        return True

    def count_lost(self) -> None:
        """Count a line that cannot be queued."""
        with self._lock:
            self.lost += 1
            self._unreported += 1
            if not self._held_lines:
                self._report_lost()

    def close(self, *, timeout_s: float) -> None:
        """Write what is held, for a limited time; what is left then, and every later line, is lost."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            self._report_lost()
            self._waiting.put(None)
        self._thread.join(timeout_s)
        with self._lock:
            self._abandoned = True
            self.lost += self._held_lines
            self._held_lines = self._held_bytes = 0

    def _report_lost(self) -> None:
        """Queue a report where lines are missing."""
        if self._unreported:
            self._waiting.put(self._unreported)
            self._unreported = 0

    def _reader_is_gone(self) -> bool:
        # Only one thread at a time may poll with it. What it reports of no event that was asked for is an end.
        with self._lock:
            return bool(self._reader.poll(0))

    def _run(self) -> None:
        while batch := self._next_batch():
            # The wait for a turn counts: lines do not get out meanwhile.
            self._writing_since_s = self._clock.monotonic()
            with self._turn:
                while batch:
                    if not self._write_some(batch) and self._closing.wait(_RETRY_S):
                        return
            self._writing_since_s = None

    def _next_batch(self) -> deque[_Piece]:
        """Wait for lines, and return them; none when the queue is closed and empty."""
        batch: deque[_Piece] = deque()
        size, line = 0, self._first_line()
        while line is not None:
            batch.append(_Piece(self._lost_line(line), 0) if isinstance(line, int) else _Piece(line, len(line)))
            size += len(batch[-1].rest)
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_LINES:
                return batch
            try:
                line = self._waiting.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._waiting.put(None)
        return batch

    def _first_line(self) -> bytes | int | None:
        """Return a line that is waiting; or wait for one, and then a moment for those that follow it."""
        with contextlib.suppress(queue.Empty):
            return self._waiting.get_nowait()
        line = self._waiting.get()
        # Those wake no thread.
        self._closing.wait(self._collect_s)
        return line

    def _write_some(self, batch: deque[_Piece]) -> bool:
        """Write what the descriptor takes of a batch; return whether it may take more at once."""
        try:
            sent = os.writev(self._descriptor, [piece.rest for piece in batch])
        # 1. Another process has made the descriptor non-blocking, and it is full.
        except BlockingIOError:
            return self._wait_for_reader()
        # 2. The reader is gone, or the disk is full: both may change.
        except OSError:
            self._failing = True
            return False
        # 3. Written.
        self._failing = False
        self._count_written(batch, sent)
        return True

    def _wait_for_reader(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(_RETRY_S * 1000)) and not self._reader_is_gone()

    def _count_written(self, batch: deque[_Piece], sent: int) -> None:
        with self._lock:
            while batch and sent >= len(batch[0].rest):
                piece = batch.popleft()
                sent -= len(piece.rest)
                if piece.size and not self._abandoned:
                    self.written += 1
                    self._held_lines -= 1
                    self._held_bytes -= piece.size
            if batch:
                batch[0].rest = batch[0].rest[sent:]
            if not self._held_lines:
                self._report_lost()
            self._writing_since_s = self._clock.monotonic()
