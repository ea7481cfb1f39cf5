"""The thread that writes lines: bounded, exact in what it counts, and never waited for."""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server.runtime.clock import SystemClock
from payorch_server.telemetry import log_writer
from payorch_server.telemetry.log_writer import STALLED_AFTER_S, LogWriter

LONG_S = 20.0
"""Longer than any test waits."""


class Clock(SystemClock):
    """Time that a test sets."""

    now_s = 0.0

    def monotonic(self) -> float:
        """Return it."""
        return self.now_s


def lost_line(lines: int) -> bytes:
    """Report lost lines."""
    return b"lost %d\n" % lines


class Pipe:
    """A pipe and the writer at its end."""

    def __init__(self, **options: Any) -> None:
        self.read_end, self.write_end = os.pipe()
        self.clock = Clock()
        self.writer = LogWriter(self.write_end, name="log", lost_line=lost_line, clock=self.clock, **options)
        self._open = {self.read_end, self.write_end}

    def close_read_end(self) -> None:
        """End the reader."""
        self._close(self.read_end)

    def close_write_end(self) -> None:
        """Let the reader see the end."""
        self._close(self.write_end)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)

    def read_all(self) -> list[bytes]:
        """Close the writer and return every line that comes out."""
        lines = bytearray()
        reader = threading.Thread(target=lambda: lines.extend(_rest(self.read_end)))
        reader.start()
        self.writer.close(timeout_s=LONG_S)
        self.close_write_end()
        reader.join()
        return bytes(lines).splitlines()


def _rest(descriptor: int) -> bytes:
    found = b""
    while part := os.read(descriptor, 65536):
        found += part
    return found


@contextmanager
def piped(**options: Any) -> Iterator[Pipe]:
    """Open a pipe with a writer."""
    pipe = Pipe(**options)
    try:
        yield pipe
    finally:
        pipe.writer.close(timeout_s=0.0)
        pipe.close_read_end()
        # It must have ended before its descriptor becomes another pipe's.
        pipe.writer._thread.join(LONG_S)
        assert not pipe.writer._thread.is_alive()
        pipe.close_write_end()


class Gate:
    """Replaces the system's write: it blocks while the gate is closed, and takes so many bytes at a time."""

    def __init__(self, *, most: int = 1_000_000) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.errors: list[OSError] = []
        self.out = bytearray()
        self._most = most

    def writev(self, _descriptor: int, parts: Sequence[bytes]) -> int:
        """Take what it may take."""
        self.entered.set()
        self.open.wait(LONG_S)
        if self.errors:
            raise self.errors.pop()
        taken = b"".join(parts)[: self._most]
        self.out += taken
        return len(taken)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Replace the system's write."""
    made = Gate()
    monkeypatch.setattr(log_writer.os, "writev", made.writev)
    return made


def filled(pipe: Pipe) -> int:
    """Offer lines until the pipe and the queue are full; return how many were offered."""
    offered = 1
    while pipe.writer.write(b"%06d" % offered + b"x" * 993):
        offered += 1
    return offered


class TestLines:
    """What comes out is what was offered, in its order."""

    def test_come_out_in_order(self) -> None:
        """All of them, when the writer is closed."""
        with piped() as pipe:
            accepted = [pipe.writer.write(b"%d" % number) for number in range(5000)]

            assert [b"%d" % number for number in range(5000)] == pipe.read_all()
            assert all(accepted)
            assert (5000, 0) == (pipe.writer.written, pipe.writer.lost)

    def test_are_dropped_and_counted_while_nothing_reads(self) -> None:
        """No call waits, and one line reports the gap where it is."""
        with piped(max_bytes=200_000) as pipe:
            offered = filled(pipe)
            more = [pipe.writer.write(b"lost as well" + b"x" * 900) for _ in range(9)]

            lines = pipe.read_all()
            assert not any(more)
            assert offered + 9 == pipe.writer.written + pipe.writer.lost
            assert 10 == pipe.writer.lost
            assert [b"%06d" % number for number in range(1, offered)] == [line[:6] for line in lines[:-1]]
            assert b"lost 10" == lines[-1]

    def test_that_were_lost_are_reported_where_they_are_missing(self, gate: Gate) -> None:
        """Between the last line before them and the first line after."""
        with piped(max_bytes=20) as pipe:
            pipe.writer.write(b"first")
            pipe.writer.write(b"x" * 20)
            pipe.writer.write(b"second")
            gate.open.set()
            pipe.writer.close(timeout_s=LONG_S)

            assert b"first\nlost 1\nsecond\n" == gate.out

    def test_of_which_only_a_part_was_taken_are_continued(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A signal may cut a write short, and a full disk may."""
        slow = Gate(most=7)
        slow.open.set()
        monkeypatch.setattr(log_writer.os, "writev", slow.writev)
        with piped() as pipe:
            for number in range(50):
                pipe.writer.write(b"line %d" % number)
            pipe.writer.close(timeout_s=LONG_S)

            assert b"".join(b"line %d\n" % number for number in range(50)) == slow.out
            assert 50 == pipe.writer.written

    def test_that_cannot_be_rendered_are_counted(self) -> None:
        """They are reported like all others."""
        with piped() as pipe:
            pipe.writer.count_lost()

            assert [b"lost 1"] == pipe.read_all()
            assert (0, 1) == (pipe.writer.written, pipe.writer.lost)

    @settings(max_examples=60, deadline=None)
    @given(
        sizes=st.lists(st.integers(0, 3000), max_size=60),
        max_bytes=st.integers(1, 20_000),
        reads=st.booleans(),
        threads=st.integers(1, 3),
    )
    def test_are_either_written_or_lost(self, sizes: list[int], max_bytes: int, reads: bool, threads: int) -> None:  # noqa: FBT001 - drawn
        """Whatever the bound, the lines, the number of threads, and whether anything reads."""
        with piped(max_bytes=max_bytes) as pipe:

            def offer() -> None:
                for size in sizes:
                    pipe.writer.write(b"x" * size)

            started = [threading.Thread(target=offer) for _ in range(threads)]
            for thread in started:
                thread.start()
            for thread in started:
                thread.join()
            lines = pipe.read_all() if reads else []
            pipe.writer.close(timeout_s=0.0)

            assert threads * len(sizes) == pipe.writer.written + pipe.writer.lost
            if reads:
                assert pipe.writer.written == sum(not line.startswith(b"lost") for line in lines)
                assert pipe.writer.lost == sum(int(line[5:]) for line in lines if line.startswith(b"lost"))


class TestStall:
    """The stream is stalled while its lines do not get out, and only then."""

    def test_is_no_empty_queue(self) -> None:
        """However long nothing is written."""
        with piped() as pipe:
            pipe.clock.now_s = 1e6

            assert not pipe.writer.is_stalled

    def test_is_a_write_without_progress(self, gate: Gate) -> None:
        """From five seconds on, until the write comes back."""
        with piped() as pipe:
            pipe.writer.write(b"line")
            assert gate.entered.wait(LONG_S)
            pipe.clock.now_s = STALLED_AFTER_S
            early = pipe.writer.is_stalled
            pipe.clock.now_s += 0.1
            late = pipe.writer.is_stalled
            gate.open.set()
            pipe.writer.close(timeout_s=LONG_S)

            assert (False, True) == (early, late)
            assert b"line\n" == gate.out

    def test_is_a_wait_for_another_writer_that_makes_no_progress(self) -> None:
        """Its lines do not get out either."""
        turn = threading.Lock()
        with piped(turn=turn) as pipe, turn:
            pipe.writer.write(b"line")
            wait_for(lambda: pipe.writer._writing_since_s is not None)
            pipe.clock.now_s = STALLED_AFTER_S + 0.1

            assert pipe.writer.is_stalled

    def test_is_a_reader_that_is_gone(self) -> None:
        """It is seen before a line is lost to it."""
        with piped() as pipe:
            before = pipe.writer.is_stalled
            pipe.close_read_end()

            assert (False, True) == (before, pipe.writer.is_stalled)

    def test_ends_when_a_line_gets_out(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        """The line that failed is tried again, and nothing is lost."""
        monkeypatch.setattr(log_writer, "_RETRY_S", 0.001)
        gate.errors = [OSError(errno.ENOSPC, "full") for _ in range(3)]
        with piped() as pipe:
            pipe.writer.write(b"line")
            gate.open.set()
            wait_for(lambda: pipe.writer.written == 1)

            assert not pipe.writer.is_stalled
            assert (b"line\n", 0) == (gate.out, pipe.writer.lost)

    def test_is_not_a_descriptor_that_another_process_made_non_blocking(self) -> None:
        """Its lines wait for the reader, as those of any other do."""
        with piped() as pipe:
            os.set_blocking(pipe.write_end, False)
            for number in range(3000):
                pipe.writer.write(b"%06d" % number + b"x" * 100)

            assert not pipe.writer.is_stalled
            assert 3000 == len(pipe.read_all())


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when a condition holds, or fail."""
    never = threading.Event()
    for _ in range(2000):
        if condition():
            return
        never.wait(0.01)
    raise AssertionError("The condition does not hold.")


class TestClose:
    """The end of the process does not depend on a reader."""

    def test_is_bounded_and_counts_what_is_left(self, gate: Gate) -> None:
        """What was accepted and never written is lost; the blocked thread does not keep the process."""
        with piped() as pipe:
            for _ in range(10):
                pipe.writer.write(b"line")
            assert gate.entered.wait(LONG_S)
            pipe.writer.close(timeout_s=0.0)

            assert (0, 10) == (pipe.writer.written, pipe.writer.lost)
            gate.open.set()

    def test_counts_every_later_line(self) -> None:
        """They have no writer."""
        with piped() as pipe:
            pipe.writer.close(timeout_s=LONG_S)

            assert not pipe.writer.write(b"late")
            assert 1 == pipe.writer.lost
            assert pipe.writer.is_stalled

    def test_does_not_wait_for_a_reader_that_is_gone(self) -> None:
        """The thread gives up at once."""
        with piped() as pipe:
            pipe.close_read_end()
            pipe.writer.write(b"line")
            pipe.writer.close(timeout_s=LONG_S)

            assert (0, 1) == (pipe.writer.written, pipe.writer.lost)
