"""Several processes behind one gRPC port: the kernel spreads connections over those that listen on it.

Each is a fresh interpreter, because gRPC does not survive a fork. A worker's number is added to the ports of
`admin.listen` and `diagnostics.listen`, so that each can be asked by itself.
"""

import asyncio
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGTERM
from typing import Final

import structlog

from payorch_server.config import Document, split_address
from payorch_server.model.command_error import CommandError
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import termination

_LOG: Final = structlog.get_logger("payorch.workers")
SHORTEST_LIFE_S: Final = 10.0
"""A worker that ends sooner would do so again, so that the others end with it."""
_KILLED: Final = 128


class WorkersError(CommandError):
    """Workers cannot be started, for a reason that a sentence can tell."""


@contextmanager
def shared_port(document: Document) -> Iterator[None]:
    """Hold the gRPC port for workers, so that nobody else's processes come to share it.

    Args:
        document: The configuration of all of them.

    Raises:
        WorkersError: They could not share it, or what they know of intents.
    """
    if document.store.kind == "memory":
        raise WorkersError(
            "store.kind: memory is known to one process alone, so several would execute a resend again; "
            "set store.kind: redis, or leave out --workers"
        )
    listen = document.rpc.listen
    host, port = split_address(listen) or ("", 0)
    if port == 0:
        raise WorkersError(f"rpc.listen: {listen} names no port that several workers could share; name one")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
        with socket.socket(family, kind) as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(address)
            yield
    except OSError as error:
        raise WorkersError(f"rpc.listen: {listen} cannot be listened on: {error.strerror}") from error


class Workers:
    """Processes that are started anew when they end by themselves, and end together at a signal."""

    def __init__(self, command: Sequence[str], *, count: int, clock: Clock) -> None:
        """Remember what to start.

        Args:
            command: Program and arguments; `--worker` and a number are added.
            count: How many, at least one.
            clock: Tells how long a worker lived.
        """
        self._command = command
        self._count = count
        self._clock = clock
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ending = False
        self._status = 0

    async def run(self) -> int:
        """Run them until a signal; return the exit status of the first that ended badly, or 0."""
        with termination(on_first=self._end, on_second=self._end):
            await asyncio.gather(*(self._keep(number) for number in range(self._count)))
        return self._status

    async def _keep(self, number: int) -> None:
        while True:
            began_s = self._clock.monotonic()
            status = await self._run(number)
            if self._ending:
                self._status = self._status or status
                return
            lived_s = round(self._clock.monotonic() - began_s, 1)
            if lived_s < SHORTEST_LIFE_S:
                _LOG.error("a worker ended soon, so all end", worker=number, status=status, lived_s=lived_s)
                self._status = status or 1
                self._end()
                return
            _LOG.error("a worker ended and is started anew", worker=number, status=status, lived_s=lived_s)

    async def _run(self, number: int) -> int:
        """Run a worker to its end.

        It has a process group of its own, because a terminal sends its signals to a whole group and workers shall get
        each once; and a pipe from us, whose end tells it that we were killed.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command, "--worker", str(number), stdin=asyncio.subprocess.PIPE, process_group=0
        )
        self._processes[number] = process
        if self._ending:
            process.send_signal(SIGTERM)
        status = await process.wait()
        return status if status >= 0 else _KILLED - status

    def _end(self) -> None:
        """Pass a signal on: a worker drains at its first and ends at once at its second."""
        self._ending = True
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(SIGTERM)


def worker_command(files: Sequence[object]) -> list[str]:
    """Return the command that serves as a worker, but for its number.

    Args:
        files: Of the configuration.
    """
    return [sys.executable, "-P", "-m", "payorch_server", "serve", *(f"--config={file}" for file in files)]
