"""Sends the Track-Id ahead of the response, for callers whose deadline may pass first."""

import asyncio
import contextlib
from typing import Any, Final

from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner

AFTER_S: Final = 1.0
"""Not at once: gRPC clients treat a response that has begun as final and would not retry a quick UNAVAILABLE."""


class EarlyMetadata:
    """Sends a call's initial metadata if the call takes longer than AFTER_S."""

    def __init__(
        self, context: Any, metadata: tuple[tuple[str, str], ...], tasks: TaskOwner, deadlines: Deadlines
    ) -> None:
        """Begin to wait.

        Args:
            context: Of the call.
            metadata: The metadata to send.
            tasks: Owns the task that sends.
            deadlines: Of the process.
        """
        self._context = context
        self._metadata = metadata
        self._tasks = tasks
        self._sending: asyncio.Task[None] | None = None
        self._due = deadlines.call_after(AFTER_S, self._start_sending)

    def _start_sending(self) -> None:
        self._sending = self._tasks.start(self._send(), name="early metadata")

    async def _send(self) -> None:
        # A call that has ended meanwhile accepts no metadata and needs none.
        with contextlib.suppress(Exception):
            await self._context.send_initial_metadata(self._metadata)

    def cancel(self) -> None:
        """Wait no longer; a send in progress continues."""
        self._due.cancel()

    async def finish(self) -> None:
        """Wait no longer, except for a send in progress, which must come before the response."""
        self.cancel()
        if self._sending is not None:
            await self._sending
