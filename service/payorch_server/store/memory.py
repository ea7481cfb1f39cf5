"""The store in memory."""

from collections import OrderedDict, defaultdict
from typing import Final

from payorch_server.runtime.clock import Clock
from payorch_server.store.port import FIRST_VERSION, StoredValue, StoreUnavailable, require_version, require_writable

_WARNING_SHARE: Final = 0.9

# Value, version, and the time at which it expires. A plain tuple, because the garbage collector soon stops tracking
# those of bytes and numbers: with objects of a class, a full store costs a pause of some hundred milliseconds.
_Record = tuple[bytes, int, float]
_Queue = OrderedDict[str, _Record]


class MemoryStore:
    """A store inside one process, for tests and laptops; it knows nothing after a restart.

    No method waits between its look and its write, so each is atomic on the event loop. It belongs to one thread.

    Records with the same time to live expire in the order in which they were written, so each time to live has a
    queue of its own. Every operation takes one step for each of them: use a handful.
    """

    def __init__(self, *, clock: Clock, max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._queues: defaultdict[float, _Queue] = defaultdict(OrderedDict)
        self._closed = False

    def __repr__(self) -> str:
        return f"MemoryStore(entries={self.entries}, max_entries={self._max_entries})"

    @property
    def entries(self) -> int:
        """How many records it holds; those that have expired since the last operation are among them."""
        return sum(map(len, self._queues.values()))

    @property
    def max_entries(self) -> int:
        """How many records it holds at most."""
        return self._max_entries

    @property
    def warning(self) -> str:
        """A sentence from nine tenths of its entries on."""
        if self.entries < _WARNING_SHARE * self._max_entries:
            return ""
        return f"the store in memory has {self.entries} of at most {self._max_entries} entries"

    async def get(self, key: str) -> StoredValue | None:
        """Return what the key holds."""
        queue = self._queue_of(key)
        return _stored(queue[key]) if queue else None

    async def put_if_absent(
        self, key: str, value: bytes, *, ttl_s: float, version: int = FIRST_VERSION
    ) -> StoredValue | None:
        """Store the value unless the key holds one; evicts nothing, as a forgotten record could be acted on twice."""
        require_writable(value=value, ttl_s=ttl_s, version=version)
        if queue := self._queue_of(key):
            return _stored(queue[key])
        self._require_room("put_if_absent")
        self._write(key, value, version, ttl_s)
        return None

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace the value if it still has the version."""
        require_writable(value=value, ttl_s=ttl_s, version=version)
        queue = self._queue_of(key, version)
        if queue is None:
            return False
        del queue[key]
        self._write(key, value, version + 1, ttl_s)
        return True

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete the key if it still has the version."""
        require_version(version)
        queue = self._queue_of(key, version)
        if queue is None:
            return False
        del queue[key]
        return True

    async def check(self) -> None:
        """Raise if the store is full or closed."""
        self._purge()
        self._require_room("check")

    async def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._queues.clear()

    def _require_room(self, operation: str) -> None:
        if self.entries >= self._max_entries:
            raise StoreUnavailable(f"{operation}: the store in memory is full with {self._max_entries} entries")

    def _queue_of(self, key: str, version: int | None = None) -> _Queue | None:
        """Return the queue that holds the key, and with this version if one is given."""
        self._purge()
        for queue in self._queues.values():
            if record := queue.get(key):
                return queue if version is None or version == record[1] else None
        return None

    def _write(self, key: str, value: bytes, version: int, ttl_s: float) -> None:
        """Store a key that the store does not hold."""
        self._queues[ttl_s][key] = (value, version, self._clock.monotonic() + ttl_s)

    def _purge(self) -> None:
        """Drop what has expired: one step for each record, and one for each queue."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        now_s = self._clock.monotonic()
        for ttl_s, queue in tuple(self._queues.items()):
            while queue:
                _, _, expires_s = next(iter(queue.values()))
                if expires_s > now_s:
                    break
                queue.popitem(last=False)
            else:
                del self._queues[ttl_s]


def _stored(record: _Record) -> StoredValue:
    value, version, _ = record
    return StoredValue(value, version)
