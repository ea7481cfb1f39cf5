"""Watches the files of a running process, and reports whether their changes are in use."""

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from opentelemetry.metrics import Meter, Observation

from payorch_server.runtime.clock import Clock
from payorch_server.runtime.watch import changes

_LOG: Final = structlog.get_logger("payorch.reload")
_CHECK_INTERVAL_S: Final = 10.0
_MAX_RETRY_S: Final = 300.0


class FileReloader(ABC):
    """Reloads after every change of the files; a subclass knows what they mean."""

    def __init__(self, *, clock: Clock, meter: Meter) -> None:
        self.problems: tuple[str, ...] = ()
        """Why the current files are not in use; empty when they are."""
        self._clock = clock
        self._seen = b""
        self._retry_at_s = 0.0
        self._retry_s = _CHECK_INTERVAL_S
        self._reloads = meter.create_counter(
            "payorch.configuration.reloads",
            unit="{reload}",
            description="Changed configurations, by result.",
        )
        meter.create_observable_gauge(
            "payorch.configuration.refused",
            callbacks=[lambda _: [Observation(int(bool(self.problems)))]],
            description="1 while the current files are rejected and the previous configuration is in use.",
        )

    @abstractmethod
    def watched(self) -> list[Path]:
        """Return the files whose changes the process applies."""

    @abstractmethod
    async def reload(self) -> None:
        """Read the files and apply them if they pass every check."""

    async def run(self) -> None:
        """Reload after every change until cancelled; no exception ends it."""
        while True:
            try:
                await self._watch()
            except Exception as unforeseen:  # noqa: BLE001 - reloading would end silently, and key rotation with it
                self.report((f"the files cannot be watched or applied: {type(unforeseen).__name__}",))
                await asyncio.sleep(_CHECK_INTERVAL_S)

    async def _watch(self) -> None:
        watched = self.watched()
        async for _ in changes(watched, at_least_every_s=_CHECK_INTERVAL_S):
            seen, now_s = await asyncio.to_thread(_digest, watched), self._clock.monotonic()
            # A rejected change is tried again: Zuora may have been down, or a file half written.
            if seen != self._seen or (self.problems and now_s >= self._retry_at_s):
                self._retry_s = _CHECK_INTERVAL_S if seen != self._seen else min(2 * self._retry_s, _MAX_RETRY_S)
                self._seen, self._retry_at_s = seen, now_s + self._retry_s
                await self.reload()
            if self.watched() != watched:
                return

    def count(self, result: str) -> None:
        """Count a change that was applied."""
        self._reloads.add(1, {"result": result})

    def report(self, problems: tuple[str, ...]) -> None:
        """Log new problems once, and once that there are none any more."""
        if problems and problems != self.problems:
            _LOG.error("config_change_rejected", problems=problems)
            self._reloads.add(1, {"result": "refused"})
        elif self.problems and not problems:
            _LOG.info("config_change_withdrawn")
        self.problems = problems


def _digest(files: Sequence[Path]) -> bytes:
    """Return what changes with the content of any of the files."""
    digest = hashlib.sha256()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            content = b"?"
        digest.update(hashlib.sha256(content).digest())
    return digest.digest()
