"""What a store in memory holds, and how a test takes writes back."""

from payorch_server.store.memory import MemoryStore

Record = tuple[float, tuple[bytes, int, float]]
"""Time to live; value, version and end."""


def values_in(store: MemoryStore) -> dict[str, bytes]:
    """Return the values by key."""
    return {key: record[0] for queue in store._queues.values() for key, record in queue.items()}


def stored_in(store: MemoryStore) -> dict[str, tuple[float, bytes, int]]:
    """Return time to live, value and version by key."""
    return {
        key: (ttl_s, value, version)
        for ttl_s, queue in store._queues.items()
        for key, (value, version, _) in queue.items()
    }


def record_in(store: MemoryStore, key: str) -> Record | None:
    """Return what a key holds."""
    return next(((ttl_s, queue[key]) for ttl_s, queue in store._queues.items() if key in queue), None)


def put_back(store: MemoryStore, key: str, record: Record | None) -> None:
    """Let a key hold what it held before; None: nothing."""
    for queue in store._queues.values():
        queue.pop(key, None)
    if record is not None:
        ttl_s, stored = record
        store._queues[ttl_s][key] = stored


def empty(store: MemoryStore) -> None:
    """Lose everything."""
    store._queues.clear()
