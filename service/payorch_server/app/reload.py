"""Takes changed files into use while the service runs, or refuses the change and goes on as before."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from opentelemetry import metrics

from payorch_server.config import (
    ConfigError,
    Settings,
    change_problems,
    load,
    switched_off,
    watched_files,
    with_switched_off,
)
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.watch import changes

_LOG: Final = structlog.get_logger("payorch.reload")
_LOOK_EVERY_S: Final = 10.0
_MAX_WAIT_S: Final = 300.0


class Reloader:
    """Watches the files of a running service."""

    def __init__(
        self,
        *,
        files: Sequence[Path],
        settings_in_use: Settings,
        clock: Clock,
        meter: metrics.Meter,
        verify_credentials: Callable[[Settings], Awaitable[Sequence[str]]],
        apply: Callable[[Settings], Awaitable[None]],
    ) -> None:
        """Make a reloader.

        Args:
            files: Of the configuration.
            settings_in_use: What the service runs with.
            clock: Tells whether a certificate is valid.
            meter: Counts what is adopted and what is refused, and tells whether a change is refused now.
            verify_credentials: Tries changed credentials; returns what is wrong with them.
            apply: Takes settings into use, all at once.
        """
        self.settings_in_use = settings_in_use
        self.problems: tuple[str, ...] = ()
        """Why the files as they are now are not in use; empty when they are."""
        self._files = files
        self._seen = b""
        self._again_s = 0.0
        self._wait_s = _LOOK_EVERY_S
        self._clock = clock
        self._reloads = meter.create_counter(
            "payorch.configuration.reloads",
            unit="{reload}",
            description="Changed configurations, by their fate.",
        )
        meter.create_observable_gauge(
            "payorch.configuration.refused",
            callbacks=[lambda _: [metrics.Observation(int(bool(self.problems)))]],
            description="1 while the files as they are now are refused, and those before go on.",
        )
        self._verify_credentials = verify_credentials
        self._apply = apply

    def __repr__(self) -> str:
        return f"Reloader({len(self._files)} files, {len(self.problems)} problems)"

    async def run(self) -> None:
        """Reload after every change, until cancelled; nothing else ends it."""
        while True:
            try:
                await self._watch()
            except Exception as unforeseen:  # noqa: BLE001 - it would end without a word, and rotations with it
                self._refuse((f"the files cannot be watched or taken over: {type(unforeseen).__name__}",))
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _watch(self) -> None:
        watched = watched_files(self._files, self.settings_in_use.document)
        async for _ in changes(watched, at_least_every_s=_LOOK_EVERY_S):
            seen, now_s = await asyncio.to_thread(_digest, watched), self._clock.monotonic()
            # What is refused is tried again: it may have been Zuora that refused it, or a file only half there.
            if seen != self._seen or (self.problems and now_s >= self._again_s):
                self._wait_s = _LOOK_EVERY_S if seen != self._seen else min(2 * self._wait_s, _MAX_WAIT_S)
                self._seen, self._again_s = seen, now_s + self._wait_s
                await self.reload()
            if watched_files(self._files, self.settings_in_use.document) != watched:
                return

    async def reload(self) -> None:
        """Read the files, and take them into use if all is well with them; if not, only what they switch off.

        That first: the proof of other parts may take long, and may fail in a way that nobody foresaw.
        """
        await self._switch_off()
        try:
            fresh = await asyncio.to_thread(load, *self._files, clock=self._clock)
        except ConfigError as error:
            self._refuse(error.problems)
            return
        if fresh == self.settings_in_use:
            self._refuse(())
            return
        problems = [
            *change_problems(self.settings_in_use.document, fresh.document),
            *_fixed_secrets(self.settings_in_use, fresh),
        ]
        problems = problems or [*await self._verify_credentials(fresh)]
        if problems:
            self._refuse(tuple(problems))
            return
        await self._take(fresh, result="adopted")
        self.problems = ()

    async def _take(self, settings: Settings, *, result: str) -> None:
        await self._apply(settings)
        self.settings_in_use = settings
        self._reloads.add(1, {"result": result})

    async def _switch_off(self) -> None:
        """Take over the kill switches of a change that nobody has looked at yet, and nothing else of it."""
        wanted = await asyncio.to_thread(switched_off, *self._files)
        stopped = with_switched_off(self.settings_in_use, wanted)
        if stopped is not None:
            await self._take(stopped, result="switched_off")
            tenants = {name: one.switched_off for name, one in stopped.document.tenants.items() if one.switched_off}
            _LOG.warning(
                "what the changed files switch off is switched off",
                tenants=tenants,
            )

    def _refuse(self, problems: tuple[str, ...]) -> None:
        """Say once what is wrong, and once that it no longer is."""
        if problems and problems != self.problems:
            _LOG.error("the changed configuration is refused; the one before goes on", problems=problems)
            self._reloads.add(1, {"result": "refused"})
        elif self.problems and not problems:
            _LOG.info("the configuration is again the one in use")
        self.problems = problems


def _fixed_secrets(before: Settings, fresh: Settings) -> list[str]:
    """Say which files have changed whose contents are read once: a replica that restarts would differ from this one."""
    problems = []
    if fresh.keys != before.keys:
        problems.append("intents.keys: a file has changed; name the new key by a new id, and restart")
    if fresh.store_password != before.store_password:
        problems.append("store.password_file: has changed, and cannot while the service runs; restart it")
    return problems


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
