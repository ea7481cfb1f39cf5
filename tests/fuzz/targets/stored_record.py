"""Records as the store gives them back, whatever has happened to them there."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from harness.keyring import KEYRING
from payorch_server.calls.history import _decode_records
from payorch_server.intents.intent_record import (
    IntentRecordUnreadable,
    decode_record,
    decode_result,
    encode_record,
    encode_result,
)
from payorch_server.intents.unsettled import _decode_notes
from payorch_server.model.secret import Secret
from payorch_server.store.port import StoredValue, StoreUnavailable
from payorch_server.store.redis import _decode
from payorch_server.upc.epoch import Epoch, read_epoch
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.hub_record import (
    HubRecord,
    RecordUnreadable,
    decode_hub_record,
    encode_hub_record,
    seal_answer,
    unseal_answer,
)
from payorch_server.zuora.resources.decryption import DecryptionResult
from payorch_server.zuora.resources.payment_methods import CreatedPaymentMethod

from fuzz.target import Target, note, require

_PLACE: Final = "upc:1:answer:2"
_RESULTS: Final = (Secret[str], DecryptionResult, CreatedPaymentMethod)


class _Store:
    """Holds one value."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    async def get(self, _key: str) -> StoredValue:
        """Return it."""
        return StoredValue(self._value, 1)


def _intent(value: bytes) -> None:
    try:
        record = decode_record(value)
    except IntentRecordUnreadable:
        return
    require(repr(decode_record(encode_record(record))) == repr(record), "a record that is written again is the same")


def _result(value: bytes) -> None:
    for kind in _RESULTS:
        try:
            result = decode_result(value, kind)
        except IntentRecordUnreadable:
            continue
        require(repr(decode_result(encode_result(result), kind)) == repr(result), "so is a result")


def _calls(value: bytes) -> None:
    require(isinstance(_decode_records(value), tuple), "what cannot be read are no records")


def _notes(value: bytes) -> None:
    require(isinstance(_decode_notes(value), tuple), "what cannot be read are no notes")


def _hub(value: bytes) -> None:
    try:
        record = decode_hub_record(value)
    except RecordUnreadable as error:
        note(error.args)
        return
    require(repr(decode_hub_record(encode_hub_record(record))) == repr(record), "so is a record of the hub's")


def _sealed(value: bytes) -> None:
    require(unseal_answer(value, KEYRING, place=_PLACE) is None or value in _SEALED, "what was changed is not unsealed")


def _epoch(value: bytes) -> None:
    reading = read_epoch(_Store(value))
    try:
        reading.send(None)
    except StopIteration as ended:
        require(isinstance(ended.value, Epoch), "an epoch that cannot be read counts")


def _redis(value: bytes) -> None:
    try:
        stored = _decode(value)
    except StoreUnavailable:
        return
    require(len(stored.value) == len(value) - 8, "eight bytes are the version")


_READERS: Final[tuple[Callable[[bytes], None], ...]] = (
    *(_intent, _result, _calls, _notes, _hub, _sealed, _epoch, _redis),
)


def run(data: bytes) -> None:
    """Read a record; the first byte chooses its kind."""
    if data:
        _READERS[data[0] % len(_READERS)](data[1:])


_VECTORS: Final = Path(__file__).parents[2] / "vectors" / "0.1.0"
_SEALED: Final = frozenset(
    {
        seal_answer(
            GatewayOutcome(Result.APPROVED, message="m", token_data_changes=Secret({"a": "b"})), KEYRING, place=_PLACE
        )
        or b""
    }
)


def _seeds() -> Iterator[bytes]:
    forms: Mapping[str, Any] = json.loads((_VECTORS / "stored_forms.json").read_text())
    yield from (b"\0" + bytes.fromhex(record) for record in forms["records"].values())
    yield from (b"\1" + result.encode() for result in forms["results"].values())
    yield b"\2\x91\x80"
    yield b"\3\x91\x80"
    yield b"\4" + encode_hub_record(HubRecord("o", 1.0, 2.0, 3.0, key_id="k", fingerprint=b"f"))
    yield from (b"\5" + value for value in _SEALED)
    yield b'\6{"declared_at_s":1.5,"by":"init-store"}'
    yield b"\7\0\0\0\0\0\0\0\1value"
    # A text that is not UTF-8, and a member that is not known and nested deeply.
    for kind in range(5):
        yield bytes([kind]) + b"\x91\x82\xa5owner\xa1\xff\xa1z" + b"\x91" * 3000
        yield bytes([kind]) + b"\x81\xa5owner\xa1\xff"
        yield bytes([kind]) + b"\x81\xa1z" + b"\x91" * 3000
    yield b'\6{"by":"\xff","z":' + b"[" * 3000


TARGET = Target(
    "stored_record",
    run,
    _seeds,
    covers=(
        *("intents.intent_record", "calls.history", "intents.unsettled", "upc.hub_record", "upc.epoch", "store.redis"),
        *("store.keyring", "upc.open_records"),
    ),
    has_secrets=False,  # no record holds one in clear
)
