"""Values of the store that are no records of this version's: damaged ones, and those of another version."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from harness.clock import FakeClock
from harness.keyring import KEYRING
from payorch_server.calls.history import _decode_records
from payorch_server.intents.intent_record import IntentRecordUnreadable, decode_record
from payorch_server.intents.unsettled import _decode_notes
from payorch_server.store.memory import MemoryStore
from payorch_server.upc.epoch import Epoch, read_epoch
from payorch_server.upc.hub_ledger import EPOCH_KEY
from payorch_server.upc.hub_record import RecordUnreadable, decode_hub_record, unseal_answer

DEEP = b"\x91" * 3000 + b"\xc0"
"""An array in an array, three thousand times."""
UNREADABLE = [
    (b"", "nothing"),
    (b"\x91\x80", "without the members that every record has"),
    (b"\x81\xa5owner\xa1\xff", "a text that is not UTF-8"),
    (b"\x91\x82\xa4kind\xa1\xff\xa1z\xc0", "the same in a list"),
    (b"\x81\xa1z" + DEEP, "a member that is not known and nested deeply"),
    (b"\x91\x81\xa1z" + DEEP, "the same in a list"),
    (b"\xc1", "what MessagePack never uses"),
]


def _of_hub(value: bytes) -> tuple[()]:
    with pytest.raises(RecordUnreadable):
        decode_hub_record(value)
    return ()


def _of_intent(value: bytes) -> tuple[()]:
    with pytest.raises(IntentRecordUnreadable):
        decode_record(value)
    return ()


def _sealed(value: bytes) -> tuple[()]:
    assert unseal_answer(value, KEYRING, place="place") is None
    return ()


@pytest.mark.parametrize("read", [_decode_records, _decode_notes, _of_hub, _of_intent, _sealed])
@pytest.mark.parametrize(("value", "reason"), UNREADABLE)
class TestUnreadableValues:
    """What cannot be read."""

    def test_are_known_as_such(self, read: Callable[[bytes], Any], value: bytes, reason: str) -> None:
        """They raise nothing that their readers do not expect."""
        assert read(value) == (), reason


class TestEpoch:
    """The epoch of a store."""

    @pytest.mark.parametrize("value", [b"", b"[]", b'{"by":"\xff"}', b'{"z":' + b"[" * 3000, b'{"declared_at_s":"x"}'])
    def test_counts_although_it_cannot_be_read(self, value: bytes) -> None:
        """That it is there is what matters."""
        store = MemoryStore(clock=FakeClock(), max_entries=1)

        async def declared() -> Epoch | None:
            await store.put_if_absent(EPOCH_KEY, value, ttl_s=1.0)
            return await read_epoch(store)

        assert asyncio.run(declared()) == Epoch(0.0, "unknown")
