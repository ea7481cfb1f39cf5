"""What makes two requests the same: keyed hashes of their fields, never the fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SENSITIVE: Final = "(a sensitive field)"
"""How a difference in any sensitive field is named."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Keyed hashes of a request's set fields, under one key."""

    key_id: str
    plain: Mapping[str, str]
    """Path of each field that is not sensitive to 16 hexadecimal digits."""
    sensitive: str
    """One hash over all sensitive fields: 32 hexadecimal digits."""


def differences(one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
    """Return the paths in which two requests differ; both hashed under the same key."""
    paths = {path for path in one.plain.keys() | other.plain.keys() if one.plain.get(path) != other.plain.get(path)}
    if one.sensitive != other.sensitive:
        paths.add(SENSITIVE)
    return tuple(sorted(paths))
