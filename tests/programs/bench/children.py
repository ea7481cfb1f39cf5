"""The processes of a run: started, asked, weighed and ended."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from programs.bench.windows import Order, Window

UNREACHABLE: Final = "http://127.0.0.1:1"
"""An address at which nothing listens."""
_START_S: Final = 20.0
_SLACK_S: Final = 30.0
_END_S: Final = 10.0
_LINES_KEPT: Final = 50
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A run that proves nothing, for a reason that a sentence can tell."""


class Child:
    """A process whose lines are read, so that it never waits for a reader; those nobody asks for are dropped."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self._process = process
        self._lines: queue.Queue[bytes] = queue.Queue(_LINES_KEPT)
        threading.Thread(target=self._read, name=f"lines of {name}", daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with contextlib.suppress(queue.Full):
                self._lines.put_nowait(line)

    def line(self, *, timeout_s: float = _START_S) -> bytes:
        """Return the next line of the process.

        Raises:
            BenchError: There is none in time.
        """
        try:
            return self._lines.get(timeout=timeout_s)
        except queue.Empty:
            state = "has ended" if self._process.poll() is not None else "runs"
            raise BenchError(f"The {self.name} process said nothing for {timeout_s:.0f} s; it {state}.") from None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def rss_bytes(self) -> int:
        """Return how much memory it has resident.

        Raises:
            BenchError: The process has ended.
        """
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError as error:
            raise BenchError(f"The {self.name} process has ended, or this is not Linux.") from error

    def window(self, order: Order) -> Window:
        """Have the process carry out an order.

        Raises:
            BenchError: A call failed.
        """
        if self._process.stdin is None or self._process.poll() is not None:
            raise BenchError(f"The {self.name} process has ended.")
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        window = msgspec.json.decode(self.line(timeout_s=order.seconds + _SLACK_S), type=Window)
        if window.problem:
            raise BenchError(f"A call of the {self.name} process to {order.target} failed: {window.problem}")
        return window

    def cpu_s(self) -> float:
        """Return the user and system time so far of all its threads and of all its children.

        Raises:
            BenchError: The process has ended.
        """
        processes = running(Path("/proc"))
        if self._process.pid not in processes:
            raise BenchError(f"The {self.name} process has ended, or this is not Linux.")
        return tree_cpu_s(processes, self._process.pid)


class Running(NamedTuple):
    """A process as the kernel describes it."""

    parent: int
    cpu_s: float
    """Of its threads, and of its children that have ended."""


def running(proc: Path) -> Mapping[int, Running]:
    """Return all processes by their ids.

    Args:
        proc: Where the kernel describes them.
    """
    return {int(file.parent.name): found for file in proc.glob("[0-9]*/stat") if (found := _read_stat(file))}


def _read_stat(file: Path) -> Running | None:
    try:
        fields = file.read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return None
    return Running(int(fields[1]), sum(map(int, fields[11:15])) / _TICKS_PER_S)


def tree_cpu_s(processes: Mapping[int, Running], root: int) -> float:
    """Return the time of a process and of all below it."""
    children = [number for number, process in processes.items() if process.parent == root]
    return processes[root].cpu_s + sum(tree_cpu_s(processes, number) for number in children)


@contextlib.contextmanager
def child(name: str, command: Sequence[str | Path], *, logs: bool = False) -> Iterator[Child]:
    """Start a process, and end it with the context.

    Args:
        name: For people.
        command: Absolute path of the program, and its arguments.
        logs: Whether its lines are those of standard error as well.
    """
    stderr = subprocess.STDOUT if logs else None
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)  # noqa: S603 - our own
    try:
        yield Child(name, process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def role(name: str, *arguments: str) -> list[str | Path]:
    """Return the command that runs a module of this package."""
    return [sys.executable, "-m", f"programs.bench.{name}", *arguments]


@contextlib.contextmanager
def collector(mode: str) -> Iterator[str]:
    """Yield the address of a collector in a process of its own.

    Args:
        mode: healthy, slow, refusing, or down: then nobody listens there.
    """
    if mode == "down":
        yield UNREACHABLE
        return
    with child(f"{mode} collector", [sys.executable, "-m", "harness.otlp_receiver", mode]) as process:
        yield process.line().decode().strip()
