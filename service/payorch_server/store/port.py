"""What a store of small values must do: keys and bytes, no vocabulary."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stored:
    """A value and its version."""

    value: bytes
    version: int


class StoreUnavailable(Exception):  # noqa: N818
    """The store cannot be reached, is full, read-only or too slow; nothing is known about what it did."""


class Store(Protocol):
    """Linearizable per key."""

    async def get(self, key: str) -> Stored | None:
        """Return what is there."""
        ...

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float) -> Stored | None:
        """Store as version 1 and return None, or return what is there."""
        ...

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Store as version + 1 if the version is there."""
        ...

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete if the version is there."""
        ...

    async def check(self) -> None:
        """Raise StoreUnavailable if it cannot be relied on."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
