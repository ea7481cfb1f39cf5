import heapq

from payorch_server.runtime.clock import Clock
from payorch_server.store.port import Stored, StoreUnavailable


class MemoryStore:
    """A store in this process."""

    def __init__(self, *, clock: Clock, max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._entries: dict[str, tuple[Stored, float]] = {}
        self._expiries: list[tuple[float, str]] = []

    async def get(self, key: str) -> Stored | None:
        """Return what is there."""
        self._purge()
        entry = self._entries.get(key)
        return entry[0] if entry else None

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float) -> Stored | None:
        """Store as version 1 and return None, or return what is there."""
        there = await self.get(key)
        if there is not None:
            return there
        if len(self._entries) >= self._max_entries:
            raise StoreUnavailable("the memory store is full")
        self._write(key, Stored(value, 1), ttl_s)
        return None

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Store as version + 1 if the version is there."""
        there = await self.get(key)
        if there is None or there.version != version:
            return False
        self._write(key, Stored(value, version + 1), ttl_s)
        return True

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete if the version is there."""
        there = await self.get(key)
        if there is None or there.version != version:
            return False
        del self._entries[key]
        return True

    async def check(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        """Nothing is open."""

    def _write(self, key: str, stored: Stored, ttl_s: float) -> None:
        expires_s = self._clock.monotonic() + ttl_s
        self._entries[key] = (stored, expires_s)
        heapq.heappush(self._expiries, (expires_s, key))

    def _purge(self) -> None:
        now_s = self._clock.monotonic()
        while self._expiries and self._expiries[0][0] <= now_s:
            _, key = heapq.heappop(self._expiries)
            entry = self._entries.get(key)
            if entry is not None and entry[1] <= now_s:
                del self._entries[key]
