"""The shared store and what befalls it: unreachable, slow, applied but not acknowledged, failed over, emptied."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from harness.memory_records import Record, empty, put_back, record_in, values_in
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue, StoreUnavailable

from programs.simulation.bookkeeping import Counts, EventLog
from programs.simulation.clock import SimulatedClock

_FAULTS: Final = (("unavailable", 0.025), ("applied_but_error", 0.025), ("slow", 0.025))
_LATENCY_S: Final = (0.0003, 0.004)
_SLOW_S: Final = (0.2, 3.0)


class SharedStore:
    """One store for all instances. What it loses, it notes by key: only there may a record be missed."""

    def __init__(self, *, rng: random.Random, clock: SimulatedClock, log: EventLog, counts: Counts) -> None:
        self.rng = rng
        self.clock = clock
        self.log = log
        self.counts = counts
        self.memory = MemoryStore(clock=clock, max_entries=1_000_000)
        self.faults_on = False
        self.down = False
        self.troubled: set[str] = set()
        """Keys of which a write or a read was lost at some time."""
        self.lost: set[str] = set()
        """Those of which an acknowledged write was lost."""
        self.slow: set[str] = set()
        """Keys of which an operation took long."""
        self.reads: dict[str, list[tuple[float, str]]] = {}
        """By key: when which instance learned what is stored."""
        self._undo: list[tuple[float, str, Record | None]] = []

    def fault(self) -> str:
        """Draw what becomes of the next operation; empty: nothing special."""
        if self.down:
            return "unavailable"
        if not self.faults_on:
            return ""
        self.counts.opportunities["store"] += 1
        drawn = self.rng.random()
        for kind, probability in _FAULTS:
            if drawn < probability:
                self.counts.faults[f"store/{kind}"] += 1
                return kind
            drawn -= probability
        return ""

    def noted(self, key: str) -> None:
        """Remember what to go back to if the newest writes are lost."""
        self._undo.append((self.clock.monotonic(), key, record_in(self.memory, key)))

    def fail_over(self, *, lost_s: float) -> None:
        """Lose the acknowledged writes of the newest seconds."""
        since_s = self.clock.monotonic() - lost_s
        while self._undo and self._undo[-1][0] >= since_s:
            _, key, before = self._undo.pop()
            self.troubled.add(key)
            self.lost.add(key)
            put_back(self.memory, key, before)
        self.log.add("store", f"fails over and loses {lost_s:.2f} s of writes")

    def empty(self) -> None:
        """Lose everything."""
        self.troubled.update(values_in(self.memory))
        self.lost.update(values_in(self.memory))
        empty(self.memory)
        self._undo.clear()
        self.log.add("store", "loses everything")


class StoreClient:
    """One instance's way to the store."""

    def __init__(self, shared: SharedStore, instance: str) -> None:
        self._shared = shared
        self._instance = instance
        self.dead = False

    async def get(self, key: str) -> StoredValue | None:
        """Return what is there."""
        return await self._do(key, lambda: self._shared.memory.get(key))

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        """Store, or return what is there."""
        memory = self._shared.memory
        return await self._do(key, lambda: memory.put_if_absent(key, value, ttl_s=ttl_s, version=version), writes=True)

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Store if the version is there."""
        memory = self._shared.memory
        return await self._do(
            key, lambda: memory.compare_and_set(key, value, version=version, ttl_s=ttl_s), writes=True
        )

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete if the version is there."""
        return await self._do(key, lambda: self._shared.memory.compare_and_delete(key, version=version), writes=True)

    warning = ""

    async def check(self) -> None:
        """Nothing to check."""

    async def close(self) -> None:
        """Nothing is open."""

    async def _do(self, key: str, work: Callable[[], Awaitable[Any]], *, writes: bool = False) -> Any:
        shared = self._shared
        fault = shared.fault()
        if fault == "slow":
            shared.slow.add(key)
        await asyncio.sleep(shared.rng.uniform(*(_SLOW_S if fault == "slow" else _LATENCY_S)))
        self._stop_if_dead()
        if fault == "unavailable":
            shared.troubled.add(key)
            raise StoreUnavailable("simulated: cannot be reached")
        if writes:
            shared.noted(key)
        result = await work()
        await asyncio.sleep(shared.rng.uniform(*_LATENCY_S))
        self._stop_if_dead()
        if fault == "applied_but_error":
            shared.troubled.add(key)
            raise StoreUnavailable("simulated: applied, and the answer was lost")
        shared.reads.setdefault(key, []).append((shared.clock.monotonic(), self._instance))
        return result

    def _stop_if_dead(self) -> None:
        if self.dead:
            raise asyncio.CancelledError
