"""The interface of stores: keys, values, versions and an expiry."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

FIRST_VERSION: Final = 1
"""The version that `put_if_absent` gives by default."""
VERSION_BYTES: Final = 7
"""How many random bytes make a version that no other record of the key has."""
MAX_VALUE_BYTES: Final = 65_536
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading a value can raise that another version wrote, or that was damaged: texts may not be UTF-8, and members
that are not known may be nested deeply."""
LATEST_S: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Unix times in values are before it: with what is added to them, they are dates."""
_VERSIONS: Final = range(1, 2**63)


class StoreUnavailable(Exception):  # noqa: N818 - a state of the store
    """The store cannot be reached, is full, read-only or too slow, and nothing is known about what it did.

    A write that ended so may have happened, and may even happen later: re-read, and trust versions only.
    The message is for operators. It names the operation and the cause, never a key or a value.
    """

    def __init__(self, message: str, *, is_foreign: bool = False) -> None:
        super().__init__(message)
        self.is_foreign = is_foreign
        """Whether the key holds what this service did not write, or a damaged value, so that waiting does not help."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """What a key holds."""

    value: bytes = field(repr=False)
    version: int
    """Opaque, for compare-and-set; the write after this one will give `version + 1`."""


class Store(Protocol):
    """Keys and bytes with an expiry.

    Operations on one key are linearizable: each takes effect at one moment between call and return, for all callers of
    the store. A shared store keeps this promise, and what it acknowledged, for as long as its primary lives; after a
    failover or a restart records may be missing or older. Nothing may be built on the store alone that must not happen
    twice.

    Every write resets the expiry. Time passes by the store's own clock.
    """

    async def get(self, key: str) -> StoredValue | None:
        """Return what the key holds.

        Raises:
            StoreUnavailable: Nothing is known.
        """
        ...

    async def put_if_absent(
        self, key: str, value: bytes, *, ttl_s: float, version: int = FIRST_VERSION
    ) -> StoredValue | None:
        """Store the value unless the key holds one.

        It does not recognise its own earlier write: after StoreUnavailable, call it again or `get`, and look for a
        random nonce of your own inside the value. An answer that holds your nonce is your write.

        Args:
            key: What to store it under.
            value: At most 64 KiB.
            ttl_s: Seconds until it is gone, more than 0.
            version: What the record starts with. Where keys are deleted, lost or expire while writers still act on an
                old record, give a random one below 2**62: a late compare-and-set of the old record can then not hit
                the new one.

        Returns:
            None if it was stored, otherwise what is there.

        Raises:
            StoreUnavailable: It may have been stored or not.
            ValueError: An argument is out of range.
        """
        ...

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace the value if it still has the version; it then has `version + 1`.

        Returns:
            False if the key is gone or has another version.

        Raises:
            StoreUnavailable: It may have been replaced or not.
            ValueError: An argument is out of range.
        """
        ...

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete the key if it still has the version.

        Returns:
            False if the key is gone or has another version.

        Raises:
            StoreUnavailable: It may have been deleted or not.
            ValueError: An argument is out of range.
        """
        ...

    @property
    def warning(self) -> str:
        """What will soon keep the store from taking further records: a sentence; empty: nothing known here."""
        ...

    async def check(self) -> None:
        """Find out whether the store can be relied on.

        Raises:
            StoreUnavailable: With a sentence about the problem.
        """
        ...

    async def close(self) -> None:
        """Release what the store holds; every later call raises StoreUnavailable. Closing twice is harmless."""
        ...


def require_version(version: int) -> None:
    """Raise ValueError unless a record can have this version."""
    if version not in _VERSIONS:
        raise ValueError("a version is a positive number of 63 bits")


def require_writable(*, value: bytes, ttl_s: float, version: int) -> None:
    """Raise ValueError unless every store takes a record like this."""
    require_version(version)
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"a value has at most {MAX_VALUE_BYTES} bytes, not {len(value)}")
    if not 0 < ttl_s < float("inf"):
        raise ValueError("a time to live is more than 0 seconds and ends")
