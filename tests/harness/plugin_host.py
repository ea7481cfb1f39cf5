"""Plug-ins that a shell command restarts: one in a thread, for programs that block the main thread, and processes."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import grpc

from harness.plugin import Plugin, RunningPlugin
from harness.ports import free_port

_START_S: Final = 10.0
_POLL_S: Final = 0.05
_STOP: Final = "stop"


@contextmanager
def restarting_command(restart: Callable[[], None], folder: Path) -> Iterator[str]:
    """Yield a shell command that calls a function in a thread of this process, and ends when it has returned."""
    ask, told, script = folder / "ask", folder / "told", folder / "restart.sh"
    for pipe in (ask, told):
        os.mkfifo(pipe)
    script.write_text(f"echo restart > {ask}\nread answer < {told}\n")

    def serve() -> None:
        while _STOP not in ask.read_text():
            restart()
            told.write_text("done\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"sh {script}"
    finally:
        ask.write_text(_STOP)
        thread.join()


class PluginHost:
    """A plug-in in a thread of its own.

    A restart ends all calls without an answer and makes another plug-in from its ledger, as another process would.
    """

    def __init__(
        self, make: Callable[[Path], Plugin], ledger: Path, credentials: grpc.ServerCredentials | None
    ) -> None:
        self.plugin: Plugin
        """The one that runs now."""
        self.target = ""
        self._make = make
        self._ledger = ledger
        self._credentials = credentials
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        assert self._up.wait(_START_S)

    def restart(self) -> None:
        """Return when it listens again."""
        asyncio.run_coroutine_threadsafe(self._restart(), self._loop).result(_START_S)

    def stop(self) -> None:
        """End the plug-in and the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self.plugin = self._make(self._ledger)
        self._running = RunningPlugin(self.plugin, self._credentials)
        await self._running.start()
        self.target = self._running.target
        self._up.set()
        await self._stopping.wait()
        await self._running.stop()

    async def _restart(self) -> None:
        await self._running.stop()
        self.plugin = self._running.plugin = self._make(self._ledger)
        await self._running.start()


@contextmanager
def hosted_plugin(
    make: Callable[[Path], Plugin], folder: Path, credentials: grpc.ServerCredentials | None = None
) -> Iterator[tuple[PluginHost, str]]:
    """Run a plug-in in a thread; yield it and the command that restarts it.

    Args:
        make: Makes the plug-in from the file of its ledger.
        folder: An empty one for the ledger and the restarts.
        credentials: TLS; None: plaintext.
    """
    host = PluginHost(make, folder / "ledger", credentials)
    host.start()
    try:
        with restarting_command(host.restart, folder) as command:
            yield host, command
    finally:
        host.stop()


class PluginProcess:
    """A plug-in as a process, started with an address and the file of its ledger as further arguments."""

    def __init__(self, command: Sequence[str], ledger: Path) -> None:
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        self._command = [*command, self.target, str(ledger)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it listens.

        Raises:
            TimeoutError: It does not.
        """
        self._process = subprocess.Popen(self._command)  # noqa: S603 - programs of ours
        until_s = time.monotonic() + _START_S  # noqa: TID251 - another process takes its time
        while time.monotonic() < until_s:  # noqa: TID251 - the same
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(_POLL_S)
        raise TimeoutError(f"{self._command[0]} does not listen.")

    @property
    def runs(self) -> bool:
        """Whether it has neither died nor been killed."""
        return self._process is not None and self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Kill it, and return when it listens again."""
        self.kill()
        self.start()


@contextmanager
def plugin_process(command: Sequence[str], folder: Path) -> Iterator[tuple[str, str]]:
    """Run a plug-in as a process; yield its address and the command that kills and starts it."""
    process = PluginProcess(command, folder / "ledger")
    try:
        process.start()
        with restarting_command(process.restart, folder) as restart:
            yield process.target, restart
    finally:
        process.kill()
