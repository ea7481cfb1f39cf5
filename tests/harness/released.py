"""What released versions stored, and how this version reads it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from payorch_server.calls import history
from payorch_server.config.fleet_keys import read_keys
from payorch_server.intents import unsettled
from payorch_server.intents.intent_record import decode_record
from payorch_server.model.secret import reveal  # noqa: TID251 - to compare what was sealed
from payorch_server.store.keyring import Keyring
from payorch_server.store.settings import KeySettings
from payorch_server.upc.epoch import Epoch
from payorch_server.upc.hub_ledger import EPOCH_KEY
from payorch_server.upc.hub_record import decode_hub_record, unseal_answer

VECTORS: Final = Path(__file__).parents[1] / "vectors"
RELEASES: Final = tuple(sorted(path.name for path in VECTORS.iterdir() if path.is_dir()))
"""Versions whose stored forms are kept."""
KEY_IDS: Final = ("2026b", "2026a")
"""Of the fleet's keys, the one in use first; each is in a file `fleet-key-ID`."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key in Redis."""

    key: str
    """Without the prefix of the store."""
    value: bytes
    """As Redis has it, behind the eight bytes of its version."""
    ttl_s: float
    """Seconds that it is kept after it was written."""
    reads_as: Any
    """What it means, as JSON."""


def digest_of(release: str) -> str:
    """Return a hash over the names and contents of all files of a release."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (VECTORS / release).rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(VECTORS / release)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def stored_keys(release: str) -> list[StoredKey]:
    """Return what a release stored in Redis."""
    entries = json.loads((VECTORS / release / "redis.json").read_text())["keys"]
    return [
        StoredKey(entry["key"], bytes.fromhex(entry["value"]), entry["ttl_s"], entry["reads_as"]) for entry in entries
    ]


def keyring_of(release: str, *, entropy: Callable[[int], bytes]) -> Keyring:
    """Read the fleet's key files of a release."""
    problems: list[str] = []
    settings = [KeySettings(key_id, str(VECTORS / release / f"fleet-key-{key_id}")) for key_id in KEY_IDS]
    keys = read_keys("intents.keys", settings, problems)
    assert problems == []
    return Keyring(keys, entropy=entropy)


def read_stored(key: str, value: bytes, keyring: Keyring) -> Any:
    """Return what this version reads in a value, as JSON.

    Args:
        key: In the store.
        value: Without its version.
        keyring: The fleet's keys.
    """
    return json.loads(msgspec.json.encode(_read(key, value, keyring), enc_hook=reveal))


def _read(key: str, value: bytes, keyring: Keyring) -> Any:
    if key == EPOCH_KEY:
        return msgspec.json.decode(value, type=Epoch)
    if ":answer:" in key:
        answer = unseal_answer(value, keyring, place=key)
        return answer and {"message": answer.message, "token_data_changes": answer.token_data_changes}
    readers: Mapping[str, Callable[[bytes], Any]] = {
        "intent": decode_record,
        "call": history._decode_records,
        "token": bytes.decode,
        "unsettled": unsettled._decode_notes,
        "upc": decode_hub_record,
    }
    return readers[key.partition(":")[0]](value)


def as_in_redis(value: bytes, version: int) -> bytes:
    """Return what Redis has for a value and its version."""
    return version.to_bytes(8, "big") + value
