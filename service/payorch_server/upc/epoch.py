"""The epoch of a store: since when it has the record of every request.

Without it a missing record proves nothing, because the store may have lost it.
"""

from dataclasses import dataclass

import msgspec

from payorch_server.store.port import UNREADABLE, Store
from payorch_server.upc.hub_ledger import EPOCH_KEY, EPOCH_TTL_S


@dataclass(frozen=True, slots=True)
class Epoch:
    """When and by what it was declared that the store has every record from then on."""

    declared_at_s: float
    """Unix time; 0 where the record cannot be read, which counts like any other."""
    by: str


async def read_epoch(store: Store) -> Epoch | None:
    """Return the epoch of a store, or None where none is declared.

    Raises:
        StoreUnavailable: It cannot be read.
    """
    stored = await store.get(EPOCH_KEY)
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored.value, type=Epoch)
    except UNREADABLE:
        return Epoch(0.0, "unknown")


async def declare_epoch(store: Store, *, by: str, now_s: float) -> Epoch | None:
    """Declare that the store has the record of every request from now on.

    Args:
        store: Of the hub.
        by: What declares it.
        now_s: Unix time.

    Returns:
        The epoch that was declared earlier and stays, or None where this one is in force.

    Raises:
        StoreUnavailable: It may have been declared or not.
    """
    value = msgspec.json.encode(Epoch(now_s, by))
    if await store.put_if_absent(EPOCH_KEY, value, ttl_s=EPOCH_TTL_S) is None:
        return None
    return await read_epoch(store)
