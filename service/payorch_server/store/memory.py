"""The store in memory."""

import heapq
from dataclasses import dataclass
from typing import Final

from payorch_server.runtime.clock import Clock
from payorch_server.store.port import FIRST_VERSION, StoredValue, StoreUnavailable, require_version, require_writable

# Superseded expiries that are tolerated before the heap is rebuilt, besides one for every entry.
_SLACK: Final = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    stored: StoredValue
    expires_s: float


class MemoryStore:
    """A store inside one process, for tests and laptops; it knows nothing after a restart.

    No method waits between its look and its write, so each is atomic on the event loop. It belongs to one thread.
    """

    def __init__(self, *, clock: Clock, max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._entries: dict[str, _Entry] = {}
        self._expiries: list[tuple[float, str]] = []
        self._closed = False

    def __repr__(self) -> str:
        return f"MemoryStore(entries={len(self._entries)}, max_entries={self._max_entries})"

    async def get(self, key: str) -> StoredValue | None:
        """Return what the key holds."""
        return self._find(key)

    async def put_if_absent(
        self, key: str, value: bytes, *, ttl_s: float, version: int = FIRST_VERSION
    ) -> StoredValue | None:
        """Store the value unless the key holds one; evicts nothing, as a forgotten record could be acted on twice."""
        require_writable(value=value, ttl_s=ttl_s, version=version)
        held = self._find(key)
        if held is not None:
            return held
        if len(self._entries) >= self._max_entries:
            raise StoreUnavailable(f"put_if_absent: the store in memory is full with {self._max_entries} entries")
        self._write(key, StoredValue(value, version), ttl_s)
        return None

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace the value if it still has the version."""
        require_writable(value=value, ttl_s=ttl_s, version=version)
        held = self._find(key)
        if held is None or held.version != version:
            return False
        self._write(key, StoredValue(value, version + 1), ttl_s)
        return True

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete the key if it still has the version."""
        require_version(version)
        held = self._find(key)
        if held is None or held.version != version:
            return False
        del self._entries[key]
        return True

    async def check(self) -> None:
        """Raise if the store is full or closed."""
        self._purge()
        if len(self._entries) >= self._max_entries:
            raise StoreUnavailable(f"check: the store in memory is full with {self._max_entries} entries")

    async def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._entries.clear()
        self._expiries.clear()

    def _find(self, key: str) -> StoredValue | None:
        self._purge()
        entry = self._entries.get(key)
        return entry.stored if entry else None

    def _write(self, key: str, stored: StoredValue, ttl_s: float) -> None:
        expires_s = self._clock.monotonic() + ttl_s
        self._entries[key] = _Entry(stored, expires_s)
        heapq.heappush(self._expiries, (expires_s, key))
        if len(self._expiries) > 2 * len(self._entries) + _SLACK:
            self._expiries = [(entry.expires_s, name) for name, entry in self._entries.items()]
            heapq.heapify(self._expiries)

    def _purge(self) -> None:
        """Drop what has expired: constant time for each write ever made, apart from the heap's logarithm."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        now_s = self._clock.monotonic()
        while self._expiries and self._expiries[0][0] <= now_s:
            expires_s, key = heapq.heappop(self._expiries)
            entry = self._entries.get(key)
            if entry and entry.expires_s == expires_s:  # Otherwise a later write or a deletion has superseded it.
                del self._entries[key]
