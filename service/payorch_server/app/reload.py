"""Applies changed files while the service runs, or rejects the change and keeps the configuration in use."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from opentelemetry import metrics

from payorch_server.app.components import Components
from payorch_server.config import (
    ConfigError,
    Settings,
    change_problems,
    load,
    switched_off,
    watched_files,
    with_switched_off,
)
from payorch_server.runtime.watch import changes

_LOG: Final = structlog.get_logger("payorch.reload")
_CHECK_INTERVAL_S: Final = 10.0
_MAX_RETRY_S: Final = 300.0


class Reloader:
    """Watches the files of a running service."""

    def __init__(self, *, files: Sequence[Path], settings_in_use: Settings, components: Components) -> None:
        """Make a reloader.

        Args:
            files: The configuration files.
            settings_in_use: What the service started with.
            components: Verify changed credentials, and use changed settings.
        """
        self.settings_in_use = settings_in_use
        self.problems: tuple[str, ...] = ()
        """Why the current files are not in use; empty when they are."""
        self._files = files
        self._seen = b""
        self._retry_at_s = 0.0
        self._retry_s = _CHECK_INTERVAL_S
        self._components = components
        self._clock = components.resources.clock
        meter = components.resources.telemetry.meter
        self._reloads = meter.create_counter(
            "payorch.configuration.reloads",
            unit="{reload}",
            description="Changed configurations, by result.",
        )
        meter.create_observable_gauge(
            "payorch.configuration.refused",
            callbacks=[lambda _: [metrics.Observation(int(bool(self.problems)))]],
            description="1 while the current files are rejected and the previous configuration is in use.",
        )

    def __repr__(self) -> str:
        return f"Reloader({len(self._files)} files, {len(self.problems)} problems)"

    async def run(self) -> None:
        """Reload after every change until cancelled; no exception ends it."""
        while True:
            try:
                await self._watch()
            except Exception as unforeseen:  # noqa: BLE001 - reloading would end silently, and key rotation with it
                self._report((f"the files cannot be watched or applied: {type(unforeseen).__name__}",))
                await asyncio.sleep(_CHECK_INTERVAL_S)

    async def _watch(self) -> None:
        watched = watched_files(self._files, self.settings_in_use.document)
        async for _ in changes(watched, at_least_every_s=_CHECK_INTERVAL_S):
            seen, now_s = await asyncio.to_thread(_digest, watched), self._clock.monotonic()
            # A rejected change is tried again: Zuora may have been down, or a file half written.
            if seen != self._seen or (self.problems and now_s >= self._retry_at_s):
                self._retry_s = _CHECK_INTERVAL_S if seen != self._seen else min(2 * self._retry_s, _MAX_RETRY_S)
                self._seen, self._retry_at_s = seen, now_s + self._retry_s
                await self.reload()
            if watched_files(self._files, self.settings_in_use.document) != watched:
                return

    async def reload(self) -> None:
        """Read the files and apply them if they pass every check; their kill switches apply even if they do not."""
        # Kill switches first: verifying the rest may take long and may fail unexpectedly.
        await self._apply_kill_switches()
        try:
            fresh = await asyncio.to_thread(load, *self._files, clock=self._clock)
        except ConfigError as error:
            self._report(error.problems)
            return
        if fresh == self.settings_in_use:
            self._report(())
            return
        problems = [
            *change_problems(self.settings_in_use.document, fresh.document),
            *_fixed_secret_problems(self.settings_in_use, fresh),
        ]
        problems = problems or [*await self._components.verify_credentials(fresh)]
        if problems:
            self._report(tuple(problems))
            return
        await self._apply(fresh, result="adopted")
        self.problems = ()

    async def _apply(self, settings: Settings, *, result: str) -> None:
        await self._components.apply(settings)
        self.settings_in_use = settings
        self._reloads.add(1, {"result": result})

    async def _apply_kill_switches(self) -> None:
        """Apply the kill switches of a change that is not checked yet, and nothing else of it."""
        wanted = await asyncio.to_thread(switched_off, *self._files)
        stopped = with_switched_off(self.settings_in_use, wanted)
        if stopped is not None:
            await self._apply(stopped, result="switched_off")
            tenants = stopped.document.tenants.items()
            off = {name: tenant.switched_off for name, tenant in tenants if tenant.switched_off}
            _LOG.warning("kill_switches_applied", tenants=off)

    def _report(self, problems: tuple[str, ...]) -> None:
        """Log new problems once, and once that there are none any more."""
        if problems and problems != self.problems:
            _LOG.error("config_change_rejected", problems=problems)
            self._reloads.add(1, {"result": "refused"})
        elif self.problems and not problems:
            _LOG.info("config_change_withdrawn")
        self.problems = problems


def _fixed_secret_problems(before: Settings, fresh: Settings) -> list[str]:
    """List changed files whose contents are read once: after a restart a replica would differ from this one."""
    problems = []
    if fresh.keys != before.keys:
        problems.append("intents.keys: a file has changed; give the new key a new id and restart")
    if fresh.store_password != before.store_password:
        problems.append("store.password_file: has changed, which needs a restart")
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
