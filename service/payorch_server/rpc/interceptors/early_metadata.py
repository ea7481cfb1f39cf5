"""Telling the Track-Id ahead of the answer, for callers whose deadline may pass before it comes."""

import asyncio
import contextlib
from typing import Any, Final

from payorch_server.runtime.lifecycle import TaskOwner

AFTER_S: Final = 1.0
"""Not at once: a client's gRPC takes an answer that has begun for final, and would never retry a quick UNAVAILABLE."""


class EarlyMetadata:
    """Sends a call's initial metadata when the call has taken a while."""

    def __init__(self, context: Any, metadata: tuple[tuple[str, str], ...], tasks: TaskOwner) -> None:
        """Begin to wait.

        Args:
            context: Of the call.
            metadata: What is sent.
            tasks: Owns the sending.
        """
        self._context = context
        self._metadata = metadata
        self._tasks = tasks
        self._sending: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(AFTER_S, self._begin)

    def _begin(self) -> None:
        self._sending = self._tasks.start(self._send(), name="announce")

    async def _send(self) -> None:
        # A call that has ended meanwhile takes no metadata, and nobody waits for them any more.
        with contextlib.suppress(Exception):
            await self._context.send_initial_metadata(self._metadata)

    def drop(self) -> None:
        """Send nothing if nothing is being sent."""
        self._timer.cancel()

    async def end(self) -> None:
        """Send nothing from now on; what is being sent has been sent before the answer may be."""
        self.drop()
        if self._sending is not None:
            await self._sending
