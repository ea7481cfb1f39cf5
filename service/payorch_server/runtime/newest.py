"""A map that keeps its newest entries."""

from typing import Generic, TypeVar

V = TypeVar("V")


class Newest(Generic[V]):
    """The newest entries by key: beyond its size the oldest one is forgotten.

    An entry that is added again becomes the newest. Nothing may depend on an entry being there.
    """

    def __init__(self, size: int) -> None:
        """Make an empty map.

        Args:
            size: Entries that are kept at most.
        """
        self._size = size
        self._entries: dict[str, V] = {}

    def __repr__(self) -> str:
        return f"Newest({len(self._entries)} of {self._size})"

    def add(self, key: str, value: V) -> None:
        """Add an entry, or replace the one of the key; the oldest is forgotten where there are too many.

        Args:
            key: Of the entry.
            value: Kept as it is.
        """
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]

    def get(self, key: str) -> V | None:
        """Return the entry of a key, or None if there is none, or none any more."""
        return self._entries.get(key)

    def remove(self, key: str) -> None:
        """Forget the entry of a key, if there is one."""
        self._entries.pop(key, None)
