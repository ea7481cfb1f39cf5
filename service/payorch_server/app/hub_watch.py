"""Looks at the hub's store now and then: whether its epoch is declared, and what other replicas have ended."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from payorch_server.store.port import Store, StoreUnavailable
from payorch_server.telemetry.logging import where
from payorch_server.upc.epoch import Epoch, read_epoch
from payorch_server.upc.open_records import OpenRecords

_LOG: Final = structlog.get_logger("payorch.app")
CHECK_S: Final = 10.0
"""Seconds between two looks, at most."""
_UNDECLARED: Final = "none is declared: run payorch-server upc init-store"


class HubWatch:
    """What was seen in the store last."""

    def __init__(self, *, store: Store, open_records: OpenRecords, uniform: Callable[[float, float], float]) -> None:
        """Start without having looked.

        Args:
            store: Of the hub.
            open_records: What this process left in doubt.
            uniform: Draws from an interval, so that replicas do not look together.
        """
        self._store = store
        self._open_records = open_records
        self._uniform = uniform
        self._epoch: Epoch | None = None
        self._obstacle = "not looked at yet"

    def __repr__(self) -> str:
        return f"HubWatch({self._epoch or self._obstacle})"

    def epoch_state(self) -> dict[str, Any]:
        """Return what readiness shows of the epoch, as JSON."""
        if self._epoch is None:
            return {"declared": False, "obstacle": self._obstacle}
        since = datetime.fromtimestamp(self._epoch.declared_at_s, UTC)
        return {"declared": True, "since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "by": self._epoch.by}

    async def watch(self) -> None:
        """Look again and again; no exception ends it."""
        while True:
            await self.look()
            await asyncio.sleep(self._uniform(CHECK_S / 2, CHECK_S))

    async def look(self) -> None:
        """Look once; log a change of what is known of the epoch."""
        try:
            self._see(await read_epoch(self._store))
            await self._open_records.forget_ended(self._store)
        except StoreUnavailable as error:
            # The epoch that was seen stays: it is lost with the records, and not with the connection.
            if self._epoch is None:
                self._note(f"the store cannot be used: {error}")
        except Exception as defect:  # noqa: BLE001 - without a further look the last result would stay for ever
            _LOG.error("upc_watch_failed", type=type(defect).__name__, where=where(defect))

    def _see(self, epoch: Epoch | None) -> None:
        if epoch is not None and self._epoch is None:
            _LOG.info("upc_epoch_declared", declared_at_s=epoch.declared_at_s, by=epoch.by)
        self._epoch = epoch
        self._note("" if epoch else _UNDECLARED)

    def _note(self, obstacle: str) -> None:
        if obstacle and obstacle != self._obstacle:
            _LOG.error("upc_epoch_unknown", detail=obstacle)
        self._obstacle = obstacle
