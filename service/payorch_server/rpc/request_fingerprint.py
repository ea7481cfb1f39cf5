"""Keyed hashes of a request's fields.

The set fields are hashed by field number, so that equal requests hash equally in any encoding order. `request_id` and
`validate_only` do not take part, because they do not change the request; the card security code is never hashed.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from payorch.v1 import sensitivity_pb2

from payorch_server.intents.intent import Fingerprint
from payorch_server.store.keyring import Keyring

_EXCLUDED: Final = frozenset({"request_id", "validate_only", "security_code"})
_PLAIN_BYTES: Final = 8
_SENSITIVE_BYTES: Final = 16

Leaf = tuple[str, bytes, bytes, bool]
"""Path by names, path by numbers, value, whether it is sensitive."""


def fingerprints_of(request: Any, keyring: Keyring, *, in_place_of: Mapping[str, bytes]) -> dict[str, Fingerprint]:
    """Return a request's fingerprint under each key, the key in use first.

    Args:
        request: A valid request.
        keyring: The fleet's keys.
        in_place_of: Values to hash instead of a field's own, by field name: an Apple Pay token is hashed by its decoded
            members, not by its text.
    """
    leaves = sorted(_leaves(request, "", b"", in_place_of, sensitive=False))
    secret = b"".join(_framed(numbers) + _framed(value) for _, numbers, value, hidden in leaves if hidden)
    return {
        key_id: Fingerprint(
            key_id=key_id,
            plain={
                path: keyring.keyed_hash(key_id, numbers + b"=" + value)[:_PLAIN_BYTES].hex()
                for path, numbers, value, hidden in leaves
                if not hidden
            },
            sensitive=keyring.keyed_hash(key_id, secret)[:_SENSITIVE_BYTES].hex(),
        )
        for key_id in keyring.key_ids
    }


@cache
def _fields(descriptor: Descriptor) -> Mapping[str, tuple[bytes, bool, bool]]:
    """Return per field: its number, whether it is sensitive, whether it is a map."""
    return {field.name: (b"%d" % field.number, _is_sensitive(field), _is_map(field)) for field in descriptor.fields}


def _is_sensitive(field: FieldDescriptor) -> bool:
    marked = field.GetOptions().Extensions[sensitivity_pb2.sensitivity]
    return bool(marked != sensitivity_pb2.SENSITIVITY_UNSPECIFIED)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _leaves(
    message: Any, path: str, numbers: bytes, in_place_of: Mapping[str, bytes], *, sensitive: bool
) -> Iterator[Leaf]:
    fields = _fields(message.DESCRIPTOR)
    # An empty message counts by its presence: it may be the arm of a oneof.
    yield path.removesuffix(".") or ".", numbers, b"", sensitive
    for field, value in message.ListFields():
        if field.name in _EXCLUDED:
            continue
        number, marked, is_map = fields[field.name]
        below, digits, hidden = f"{path}{field.name}", numbers + number, sensitive or marked
        if field.name in in_place_of:
            yield below, digits, in_place_of[field.name], hidden
        elif is_map:
            for key in sorted(value):
                yield from _value_leaves(value[key], f'{below}["{key}"]', digits + _framed(key.encode()), hidden)
        elif field.is_repeated:
            # One hash for all: a thousand invoices must not make the record too large for a store.
            leaves = [leaf for item in value for leaf in _value_leaves(item, below, digits, hidden)]
            yield below, digits, b"".join(_framed(inner) + _framed(leaf) for _, inner, leaf, _ in leaves), hidden
        elif field.message_type is not None:
            yield from _leaves(value, f"{below}.", digits + b".", in_place_of, sensitive=hidden)
        else:
            yield from _value_leaves(value, below, digits, hidden)


def _value_leaves(value: Any, path: str, numbers: bytes, hidden: bool) -> Iterator[Leaf]:  # noqa: FBT001 - private
    if hasattr(value, "DESCRIPTOR"):
        yield from _leaves(value, f"{path}.", numbers + b".", {}, sensitive=hidden)
    else:
        yield path, numbers, value if isinstance(value, bytes) else str(value).encode(), hidden


def _framed(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
