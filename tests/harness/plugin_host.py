"""A plug-in in a thread of its own, for programs that wait for its answers in the main thread."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.plugin import Plugin, RunningPlugin

_START_S: Final = 10.0


class PluginHost:
    """A plug-in that a shell command restarts.

    A restart ends all calls without an answer and makes the plug-in anew from its ledger, as another process would.
    """

    def __init__(self, make: Callable[[Path], Plugin], folder: Path) -> None:
        self.plugin: Plugin
        """The one that runs now."""
        self.target = ""
        self._make = make
        self._ledger = folder / "ledger"
        self._ask, self._told = folder / "ask", folder / "told"
        for pipe in (self._ask, self._told):
            os.mkfifo(pipe)
        script = folder / "restart.sh"
        script.write_text(f"echo restart > {self._ask}\nread answer < {self._told}\n")
        self.restart_command = f"sh {script}"
        self._up = threading.Event()
        self._threads = [threading.Thread(target=self._serve), threading.Thread(target=self._restart_when_asked)]

    def start(self) -> None:
        """Return when it listens."""
        for thread in self._threads:
            thread.start()
        assert self._up.wait(_START_S)

    def stop(self) -> None:
        """End the plug-in and the threads."""
        self._ask.write_text("stop")
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._stopping = asyncio.Event()
        self.plugin = self._make(self._ledger)
        self._running = RunningPlugin(self.plugin, None)
        await self._running.start()
        self.target = self._running.target
        self._up.set()
        await self._stopping.wait()
        await self._running.stop()

    async def _restart(self) -> None:
        await self._running.stop()
        self.plugin = self._running.plugin = self._make(self._ledger)
        await self._running.start()

    def _restart_when_asked(self) -> None:
        assert self._up.wait(_START_S)
        while "stop" not in self._ask.read_text():
            asyncio.run_coroutine_threadsafe(self._restart(), self._loop).result(_START_S)
            self._told.write_text("restarted\n")
        self._loop.call_soon_threadsafe(self._stopping.set)


@contextmanager
def hosted_plugin(make: Callable[[Path], Plugin], folder: Path) -> Iterator[PluginHost]:
    """Run a plug-in in a thread; yield it.

    Args:
        make: Makes the plug-in from the file of its ledger.
        folder: An empty one for the ledger and the restarts.
    """
    host = PluginHost(make, folder)
    host.start()
    try:
        yield host
    finally:
        host.stop()
