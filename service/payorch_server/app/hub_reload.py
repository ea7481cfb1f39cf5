"""Applies changed files while the hub runs, or rejects the change and keeps the configuration in use."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from payorch_server.app.file_reload import FileReloader
from payorch_server.app.hub_components import HubComponents
from payorch_server.config.base_document import ConfigError
from payorch_server.config.hub_changes import fixed_hub_secret_problems, hub_change_problems, watched_hub_files
from payorch_server.config.hub_loading import load_hub


class HubReloader(FileReloader):
    """Watches the files of a running hub."""

    def __init__(self, *, files: Sequence[Path], components: HubComponents) -> None:
        """Make a reloader.

        Args:
            files: The configuration files.
            components: Use changed configurations.
        """
        super().__init__(clock=components.clock, meter=components.telemetry.meter)
        self._files = files
        self._components = components

    def __repr__(self) -> str:
        return f"HubReloader({len(self._files)} files, {len(self.problems)} problems)"

    def watched(self) -> list[Path]:
        """Return the files whose changes the hub applies."""
        return watched_hub_files(self._files, self._components.configuration.document)

    async def reload(self) -> None:
        """Read the files and apply them if they pass every check."""
        try:
            fresh = await asyncio.to_thread(load_hub, *self._files, clock=self._clock)
        except ConfigError as error:
            self.report(error.problems)
            return
        before = self._components.configuration
        if fresh == before:
            self.report(())
            return
        problems = (*hub_change_problems(before.document, fresh.document), *fixed_hub_secret_problems(before, fresh))
        if problems:
            self.report(problems)
            return
        try:
            self._components.apply(fresh)
        except OSError as error:
            self.report((f"upc.tls: the certificate cannot be used: {error.strerror or type(error).__name__}",))
            return
        self.count("adopted")
        self.problems = ()
