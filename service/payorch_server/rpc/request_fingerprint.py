"""Keyed hashes of a request's fields, in the two forms that a record may hold; see decision 0019.

Form 1, HMAC-SHA-256 by the paths of the fields, is written. Form 2, BLAKE2b by their numbers, is read. All that is
set counts, in any encoding order; the card security code is never hashed.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor

from payorch_server.intents.intent import SENSITIVE, Fingerprint, RequestFingerprints, differences
from payorch_server.rpc.request_walk import Leaf, framed
from payorch_server.store.keyring import FORM_MARK, Keyring

COMPACT: Final = f"2{FORM_MARK}"
"""Begins the key id of a fingerprint in form 2. A version that does not know the form does not know the key either, and
never takes an equal request for another one."""
_PLAIN_BYTES: Final = 8
_SENSITIVE_BYTES: Final = 16
# Multiples of three, whose Base64 has no padding.
_COMPACT_PLAIN_BYTES: Final = 6
_COMPACT_SENSITIVE_BYTES: Final = 15
_NUMBER: Final = re.compile(rb"\.?(\d+)(.*)", re.DOTALL)


class HashedRequest(RequestFingerprints):
    """Makes a request's fingerprints, each when it is asked for."""

    def __init__(
        self, descriptor: Descriptor, leaves: Sequence[Leaf], keyring: Keyring, *, in_place_of: Mapping[str, bytes]
    ) -> None:
        """Hold what is to be hashed.

        Args:
            descriptor: Of the request.
            leaves: Of the request.
            keyring: The fleet's keys.
            in_place_of: Values to hash instead of a field's own, by path: an Apple Pay token is hashed by its decoded
                members, not by its text.
        """
        self._descriptor = descriptor
        self._leaves = leaves
        self._keyring = keyring
        self._in_place_of = in_place_of
        self._made: dict[str, Fingerprint] = {}

    def __repr__(self) -> str:
        return f"HashedRequest({self._descriptor.full_name})"

    @property
    def written(self) -> Fingerprint:
        """The fingerprint for a record."""
        return self.under(self._keyring.key_ids[0])

    def differences(self, recorded: Fingerprint) -> tuple[str, ...] | None:
        """Return the paths in which the recorded request differs; None if they cannot be compared."""
        key_id = recorded.key_id
        # 1. Form 1.
        if key_id in self._keyring.key_ids:
            return differences(recorded, self.under(key_id))
        # 2. A key that is gone, or a form of a newer version.
        if not key_id.startswith(COMPACT) or key_id.removeprefix(COMPACT) not in self._keyring.key_ids:
            return None
        # 3. Form 2.
        paths = differences(recorded, self.under(key_id))
        return tuple(sorted(path if path == SENSITIVE else _path(self._descriptor, path) for path in paths))

    def under(self, key_id: str) -> Fingerprint:
        """Return the fingerprint under a key of the keyring; in form 2 after COMPACT."""
        if key_id not in self._made:
            is_compact = key_id not in self._keyring.key_ids
            self._made[key_id] = self._compact(key_id) if is_compact else self._by_path(key_id)
        return self._made[key_id]

    def _by_path(self, key_id: str) -> Fingerprint:
        hash_of = self._keyring.keyed_hash
        plain, secret = self._parts()
        return Fingerprint(
            key_id,
            {path: hash_of(key_id, data)[:_PLAIN_BYTES].hex() for path, _, data in plain},
            hash_of(key_id, secret)[:_SENSITIVE_BYTES].hex(),
        )

    def _compact(self, name: str) -> Fingerprint:
        hash_of, key_id = self._keyring.compact_hash, name.removeprefix(COMPACT)
        plain, secret = self._parts()
        return Fingerprint(
            name,
            # Each byte is a character: the numbers hold keys of maps with their lengths.
            {
                numbers.decode("latin-1"): b64encode(hash_of(key_id, data)[:_COMPACT_PLAIN_BYTES]).decode()
                for _, numbers, data in plain
            },
            b64encode(hash_of(key_id, secret)[:_COMPACT_SENSITIVE_BYTES]).decode(),
        )

    def _parts(self) -> tuple[list[tuple[str, bytes, bytes]], bytes]:
        """Return path, numbers and what to hash of each field that is not sensitive, and what to hash of the others."""
        plain, sensitive = [], []
        for path, numbers, value, hidden in self._leaves:
            encoded = self._in_place_of[path] if path in self._in_place_of else _encoded(value)
            if hidden:
                sensitive.append((path, numbers, encoded))
            else:
                plain.append((path, numbers, numbers + b"=" + encoded))
        return plain, b"".join(framed(numbers) + framed(encoded) for _, numbers, encoded in sorted(sensitive))


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return b"".join(framed(numbers) + framed(_encoded(inner)) for _, numbers, inner, _ in value)
    return str(value).encode()


def _path(descriptor: Descriptor | None, name: str) -> str:
    """Return the path by names of a field in form 2; a number that this version does not know stays a number."""
    path, rest = "", name.encode("latin-1")
    while (found := _NUMBER.fullmatch(rest)) and descriptor is not None:
        number, rest = int(found[1]), found[2]
        field = descriptor.fields_by_number.get(number)
        path += f".{field.name if field else number}"
        descriptor = field.message_type if field else None
        if descriptor is not None and descriptor.GetOptions().map_entry:
            size = int.from_bytes(rest[:4])
            path += f'["{rest[4 : 4 + size].decode()}"]'
            rest, descriptor = rest[4 + size :], descriptor.fields_by_name["value"].message_type
    return path.removeprefix(".") or "."
