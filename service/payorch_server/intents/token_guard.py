"""A one-time token belongs to one intent."""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from payorch_server.intents.intent_record import IntentRecordUnreadable, decode_record, reason_of
from payorch_server.model.outcome import Reason
from payorch_server.store.port import VERSION_BYTES, Store, StoredValue

# Refusals that Zuora gives before a gateway could have seen the token.
_BEFORE_THE_GATEWAY: Final = frozenset(
    {
        Reason.UPSTREAM_REQUEST_REFUSED,
        Reason.UPSTREAM_NOT_FOUND,
        Reason.UPSTREAM_UNSUPPORTED,
        Reason.UPSTREAM_LOCKED,
        Reason.UPSTREAM_TEMPORARY,
        Reason.UPSTREAM_REFUSAL_STORED,
    }
)
# The place of a record.
_OWNER: Final = re.compile(rb"intent:[a-z0-9-]+")


def token_name(*, public_key_hash: str, transaction_id: str) -> str:
    """Return what names an Apple Pay token in the store: 64 hexadecimal digits, nothing of the token in clear.

    It holds the hash of the merchant's key, which is in every token, because not every RPC carries the merchant id.
    """
    return hashlib.sha256(f"{public_key_hash}/{transaction_id.lower()}".encode()).hexdigest()


class TokenGuard:
    """The index from token to intent, across all RPCs through which a token can enter."""

    def __init__(self, *, store: Store, keep_s: float, entropy: Callable[[int], bytes]) -> None:
        self._store = store
        self._entropy = entropy
        self.keep_s = keep_s
        """How long an entry is kept, and the record it refers to."""

    @staticmethod
    def is_released_by(reason: Reason) -> bool:
        """Return whether a token can be used again after a failure for this reason."""
        return reason in _BEFORE_THE_GATEWAY

    async def claim(self, token: str, *, owner: str) -> bool:
        """Assign the token to the intent; return False if it belongs to another one that may have used it.

        The owner's record exists already, so an index entry without a record belongs to an intent that was released.

        Raises:
            StoreUnavailable: The store cannot be reached.
        """
        key = f"token:{token}"
        # A release whose time was up may happen later. A random version, and another for each claim of the same intent,
        # keep it from hitting an entry that was claimed since.
        version = int.from_bytes(self._entropy(VERSION_BYTES)) + 1
        while True:
            there = await self._store.put_if_absent(key, owner.encode(), ttl_s=self.keep_s, version=version)
            if there is None:
                return True
            is_ours = there.value == owner.encode()
            # A damaged entry belongs to an intent that cannot be found.
            if not is_ours and not _OWNER.fullmatch(there.value):
                return False
            other = None if is_ours else await self._store.get(there.value.decode())
            if other is not None:
                reason = _end_of(other)
                if reason is None or not self.is_released_by(reason):
                    return False
            if await self._store.compare_and_set(key, owner.encode(), version=there.version, ttl_s=self.keep_s):
                return True

    async def release(self, token: str, *, owner: str) -> None:
        """Free the token, if it belongs to the intent.

        Raises:
            StoreUnavailable: The store cannot be reached.
        """
        if not token:
            return
        there = await self._store.get(f"token:{token}")
        if there is not None and there.value == owner.encode():
            await self._store.compare_and_delete(f"token:{token}", version=there.version)


def _end_of(stored: StoredValue) -> Reason | None:
    """Return why an intent failed; None where it succeeded, has not ended, or has a record that cannot be read."""
    try:
        settlement = decode_record(stored.value).settlement
    except IntentRecordUnreadable:
        return None
    return reason_of(settlement) if settlement else None
