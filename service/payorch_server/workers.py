"""Several processes behind one gRPC port: the kernel spreads connections over those that listen on it.

Each is a fresh interpreter, because gRPC does not survive a fork. A worker's number is added to the ports of
`admin.listen` and `diagnostics.listen`, so that each can be asked by itself.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGTERM
from typing import Final

import structlog

from payorch_server.config import Document, split_address, worker_address
from payorch_server.model.command_error import CommandError
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import termination

_LOG: Final = structlog.get_logger("payorch.workers")
SHORTEST_LIFE_S: Final = 10.0
"""A worker that ends sooner may do so again."""
WAITS_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Before a worker is started anew: the first if it had lived for a while, a later one for each short life since."""
_KILLED: Final = 128
_LAST_PORT: Final = 65535


class WorkersError(CommandError):
    """Workers cannot be started, for a reason that a sentence can tell."""


@contextmanager
def shared_port(document: Document, *, count: int) -> Iterator[None]:
    """Hold the gRPC port for workers, so that nobody else's processes come to share it.

    Args:
        document: The configuration of all of them.
        count: How many there will be.

    Raises:
        WorkersError: They could not share it, what they know of intents, or the ports beside it.
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
    _check_ports(document, count)
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Alone first: whoever has the port already, shared or not, keeps us out.
            holder.bind(address)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            yield
    except OSError as error:
        raise WorkersError(f"rpc.listen: {listen} cannot be listened on: {error.strerror}") from error


def _check_ports(document: Document, count: int) -> None:
    """Refuse workers whose own ports would meet another's.

    Raises:
        WorkersError: By the first address that would be taken or does not exist.
    """
    taken = {(split_address(document.rpc.listen) or ("", 0))[1]: "rpc.listen"}
    for section, listen in (("admin", document.admin.listen), ("diagnostics", document.diagnostics.listen)):
        for worker in range(count):
            _, port = split_address(worker_address(listen, worker)) or ("", 0)
            if not (split_address(listen) or ("", 0))[1]:
                continue
            if port in taken or not 0 < port <= _LAST_PORT:
                why = f"that of {taken[port]}" if port in taken else f"beyond {_LAST_PORT}"
                raise WorkersError(f"{section}.listen: worker {worker} would listen on a port that is {why}")
            taken[port] = f"{section}.listen of worker {worker}"


class Workers:
    """Processes that are started anew when they end by themselves, and end together at a signal.

    One that ends soon after its first start ends all: what it could not start with, the others cannot either. A later
    one that cannot start leaves the others alone, which may have better things than it finds now.
    """

    def __init__(self, command: Sequence[str], *, count: int, clock: Clock, waits_s: Sequence[float] = WAITS_S) -> None:
        """Remember what to start.

        Args:
            command: Program and arguments; `--worker` and a number are added.
            count: How many, at least one.
            clock: Tells how long a worker lived.
            waits_s: Before a worker is started anew; the last one for every further time.
        """
        self._command = command
        self._count = count
        self._clock = clock
        self._waits_s = waits_s
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ending = asyncio.Event()
        self._cut = False
        self._status = 0

    async def run(self) -> int:
        """Run them until a signal; return the exit status of the first that ended badly, or 0."""
        with termination(on_first=self._drain, on_second=self._end_at_once):
            await asyncio.gather(*(self._keep(number) for number in range(self._count)))
        return self._status

    async def _keep(self, number: int) -> None:
        short_lives = 0
        started_before = False
        while True:
            began_s = self._clock.monotonic()
            status = await self._run(number)
            if self._ending.is_set():
                # A worker that has not come to handle SIGTERM yet dies of it, and has nothing to drain.
                self._status = self._status or (0 if status == _KILLED + SIGTERM and not self._cut else status)
                return
            lived_s = round(self._clock.monotonic() - began_s, 1)
            short = lived_s < SHORTEST_LIFE_S
            if short and not started_before:
                _LOG.error("a worker ended soon, so all end", worker=number, status=status, lived_s=lived_s)
                self._status = status or 1
                self._drain()
                return
            started_before = True
            short_lives = short_lives + 1 if short else 0
            wait_s = self._waits_s[min(short_lives, len(self._waits_s) - 1)]
            _LOG.error(
                "a worker ended and is started anew", worker=number, status=status, lived_s=lived_s, wait_s=wait_s
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._ending.wait()
                    return

    async def _run(self, number: int) -> int:
        """Run a worker to its end; one that cannot even be started has ended with status 1.

        It has a process group of its own, because a terminal sends its signals to a whole group and workers shall get
        each once; and a pipe from us, whose end tells it that we were killed.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, "--worker", str(number), stdin=asyncio.subprocess.PIPE, process_group=0
            )
        except OSError as error:
            _LOG.error("a worker cannot be started", worker=number, detail=error.strerror)
            return 1
        self._processes[number] = process
        for _ in range(self._ending.is_set() + self._cut):
            process.send_signal(SIGTERM)
        status = await process.wait()
        return status if status >= 0 else _KILLED - status

    def _drain(self) -> None:
        """Have every worker drain. Once: a worker takes a second signal for an order to end at once."""
        if not self._ending.is_set():
            self._ending.set()
            self._signal()

    def _end_at_once(self) -> None:
        self._cut = True
        self._ending.set()
        self._signal()

    def _signal(self) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(SIGTERM)


def worker_command(files: Sequence[object]) -> list[str]:
    """Return the command that serves as a worker, but for its number.

    Args:
        files: Of the configuration.
    """
    return [sys.executable, "-P", "-m", "payorch_server", "serve", *(f"--config={file}" for file in files)]
