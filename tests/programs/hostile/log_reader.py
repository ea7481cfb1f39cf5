"""Reads what the service writes, can stall or leave as the readers of containers do, and finds lines of others."""

import contextlib
import fcntl
import os
import select
import threading
from pathlib import Path
from typing import Final

import msgspec

FORGED: Final = b"hostile-forged"
"""What every line that an attack tries to write has in it."""
_CHUNK_BYTES: Final = 65_536
_PIPE_BYTES: Final = 65_536
_SMALL_PIPE_BYTES: Final = 4096
_LOOK_S: Final = 0.1
_MEMBERS: Final = frozenset({"event", "level", "timestamp"})
_KEPT: Final = 5


def is_ours(line: bytes) -> bool:
    """Whether the service itself wrote a line, as JSON."""
    try:
        event = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(event, dict) and event.keys() >= _MEMBERS and FORGED not in line


class LogReader:
    """Reads a named pipe in a thread. A pipe with a name may be opened again after its reader has left."""

    def __init__(self, file: Path) -> None:
        """Make the pipe and begin to read it."""
        self.file = file
        self.lines = 0
        self.foreign = 0
        self.payments_allowed = 0
        """Lines of the audit that permit a payment."""
        self.foreign_lines: list[bytes] = []
        """The first of them."""
        self._events: dict[str, dict[str, object]] = {}
        self._rest = b""
        self._reading = threading.Event()
        self._lock = threading.Lock()
        self._ended = False
        os.mkfifo(file)
        self._source = self._open()
        self._reading.set()
        self._thread = threading.Thread(target=self._run, name=f"reader of {file.name}", daemon=True)
        self._thread.start()

    def writer(self) -> int:
        """Return a descriptor to write to; who starts a process with it closes it afterwards."""
        return os.open(self.file, os.O_WRONLY)

    def event(self, name: str) -> dict[str, object] | None:
        """Return the last line with an event, if there was one since `forget`."""
        return self._events.get(name)

    def forget(self) -> None:
        """Start to count again."""
        self.lines = self.foreign = self.payments_allowed = 0
        self.foreign_lines = []
        self._events = {}

    def stall(self) -> None:
        """Read nothing until `resume`; the pipe fills, and soon, because it is made small."""
        self._reading.clear()
        with self._lock:
            self._resize(_SMALL_PIPE_BYTES)

    def leave(self) -> None:
        """Close the pipe: who writes gets EPIPE."""
        self.stall()
        os.close(self._source)

    def come_back(self) -> None:
        """Open the pipe again after `leave`."""
        self._source = self._open()
        self.resume()

    def resume(self) -> None:
        """Read again."""
        self._resize(_PIPE_BYTES)
        self._reading.set()

    def end(self) -> None:
        """Read no more."""
        self._ended = True
        self._reading.set()
        self._thread.join()
        os.close(self._source)
        self.file.unlink()

    def _resize(self, size: int) -> None:
        with contextlib.suppress(OSError):  # it holds more already
            fcntl.fcntl(self._source, fcntl.F_SETPIPE_SZ, size)

    def _open(self) -> int:
        return os.open(self.file, os.O_RDONLY | os.O_NONBLOCK)

    def _run(self) -> None:
        while not self._ended:
            self._reading.wait()
            with self._lock:
                if self._reading.is_set() and not self._ended:
                    self._read()

    def _read(self) -> None:
        ready, _, _ = select.select([self._source], [], [], _LOOK_S)
        chunk = os.read(self._source, _CHUNK_BYTES) if ready else b""
        if ready and not chunk:  # no process has it open
            threading.Event().wait(_LOOK_S)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._judge(line)

    def _judge(self, line: bytes) -> None:
        self.lines += 1
        if is_ours(line):
            event = msgspec.json.decode(line)
            self._events[str(event["event"])] = event
            self.payments_allowed += bool(event.get("moves_money")) and event.get("decision") == "allowed"
            return
        self.foreign += 1
        if len(self.foreign_lines) < _KEPT:
            self.foreign_lines.append(line[:200])
