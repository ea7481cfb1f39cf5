"""Applies changed files while the service runs, or rejects the change and keeps the configuration in use."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from payorch_server.app.components import Components
from payorch_server.app.file_reload import FileReloader
from payorch_server.config import (
    ConfigError,
    Settings,
    change_problems,
    load,
    switched_off,
    watched_files,
    with_switched_off,
)

_LOG: Final = structlog.get_logger("payorch.reload")


class Reloader(FileReloader):
    """Watches the files of a running service."""

    def __init__(self, *, files: Sequence[Path], settings_in_use: Settings, components: Components) -> None:
        """Make a reloader.

        Args:
            files: The configuration files.
            settings_in_use: What the service started with.
            components: Verify changed credentials, and use changed settings.
        """
        super().__init__(clock=components.resources.clock, meter=components.resources.telemetry.meter)
        self.settings_in_use = settings_in_use
        self._files = files
        self._components = components

    def __repr__(self) -> str:
        return f"Reloader({len(self._files)} files, {len(self.problems)} problems)"

    def watched(self) -> list[Path]:
        """Return the files whose changes the service applies."""
        return watched_files(self._files, self.settings_in_use.document)

    async def reload(self) -> None:
        """Read the files and apply them if they pass every check; their kill switches apply even if they do not."""
        # Kill switches first: verifying the rest may take long and may fail unexpectedly.
        await self._apply_kill_switches()
        try:
            fresh = await asyncio.to_thread(load, *self._files, clock=self._clock)
        except ConfigError as error:
            self.report(error.problems)
            return
        if fresh == self.settings_in_use:
            self.report(())
            return
        problems = [
            *change_problems(self.settings_in_use.document, fresh.document),
            *_fixed_secret_problems(self.settings_in_use, fresh),
        ]
        problems = problems or [*await self._components.verify_credentials(fresh)]
        if problems:
            self.report(tuple(problems))
            return
        await self._apply(fresh, result="adopted")
        self.problems = ()

    async def _apply(self, settings: Settings, *, result: str) -> None:
        await self._components.apply(settings)
        self.settings_in_use = settings
        self.count(result)

    async def _apply_kill_switches(self) -> None:
        """Apply the kill switches of a change that is not checked yet, and nothing else of it."""
        wanted = await asyncio.to_thread(switched_off, *self._files)
        stopped = with_switched_off(self.settings_in_use, wanted)
        if stopped is not None:
            await self._apply(stopped, result="switched_off")
            tenants = stopped.document.tenants.items()
            off = {name: tenant.switched_off for name, tenant in tenants if tenant.switched_off}
            _LOG.warning("kill_switches_applied", tenants=off)


def _fixed_secret_problems(before: Settings, fresh: Settings) -> list[str]:
    """List changed files whose contents are read once: after a restart a replica would differ from this one."""
    problems = []
    if fresh.keys != before.keys:
        problems.append("intents.keys: a file has changed; give the new key a new id and restart")
    if fresh.store_password != before.store_password:
        problems.append("store.password_file: has changed, which needs a restart")
    if fresh.proxy_password != before.proxy_password:
        problems.append("zuora_http.proxy_password_file: has changed, which needs a restart")
    return problems
