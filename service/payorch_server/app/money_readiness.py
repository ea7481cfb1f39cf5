"""Whether calls that move money are sent at present: they need more than a tenant that is ready."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from payorch_server.store.port import Store, StoreUnavailable

_LOG: Final = structlog.get_logger("payorch.app")
CHECK_S: Final = 5.0
"""Seconds between two checks, at most."""

Obstacle = Callable[[], str]
"""Returns a sentence, or nothing."""


class MoneyReadiness:
    """Checks what payments need, and publishes the result.

    It changes neither readiness nor the health of the service: the obstacles are shared by all replicas, which would
    leave together, and callers would receive no error of ours any more.
    """

    def __init__(
        self,
        *,
        store: Store,
        obstacles: Sequence[Obstacle],
        publish: Callable[[bool], Awaitable[None]],
        uniform: Callable[[float, float], float],
    ) -> None:
        """Start without an obstacle and without readiness.

        Args:
            store: Of intents; without it no money moves.
            obstacles: Each returns what else stands in the way, a sentence; empty for nothing.
            publish: Publishes whether money moves.
            uniform: Draws from an interval, so that replicas do not check together.
        """
        self._store = store
        self._sources = obstacles
        self._publish = publish
        self._uniform = uniform
        self.ready = False
        """Whether a payment would be sent, as of the last check."""
        self.obstacles: Sequence[str] = ("not checked yet",)
        """What stands in the way, one sentence each."""

    def __repr__(self) -> str:
        return f"MoneyReadiness({'ready' if self.ready else '; '.join(self.obstacles)})"

    async def watch(self) -> None:
        """Check again and again."""
        while True:
            await self.check()
            await asyncio.sleep(self._uniform(CHECK_S / 2, CHECK_S))

    async def check(self) -> None:
        """Check once; log and publish a change."""
        found = [text for source in self._sources if (text := source())]
        try:
            await self._store.check()
        except StoreUnavailable as error:
            found.append(f"the store of intents cannot be used: {error}")
        except Exception as defect:  # noqa: BLE001 - without a further check the last result would stay for ever
            found.append(f"the check of the store failed: unexpected {type(defect).__name__}")
        was_ready, self.ready, self.obstacles = self.ready, not found, tuple(found)
        if found and was_ready:
            _LOG.error("money_refused", obstacles=list(found))
        if not found and not was_ready:
            _LOG.info("money_accepted")
        await self._publish(self.ready)
