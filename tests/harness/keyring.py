"""Keyrings whose keys are known."""

import base64
import os
from collections.abc import Callable

from payorch_server.model.secret import Secret
from payorch_server.store.keyring import Keyring

KEYRING = Keyring((("test", Secret(b"k" * 32)),), entropy=bytes)
"""A keyring whose key is known, and whose nonces are all zero."""


def new_key_file() -> str:
    """Return the content of a file with a new key of a fleet, as `openssl rand -base64 32` writes it."""
    return base64.b64encode(os.urandom(32)).decode() + "\n"


def counted_entropy(first: int = 1) -> Callable[[int], bytes]:
    """Return a source of bytes that never repeat and are the same in every run."""
    calls = iter(range(first, 1_000_000))
    return lambda size: next(calls).to_bytes(size, "big")


def keyring(*ids: str) -> Keyring:
    """Make a keyring; each key follows from its id."""
    return Keyring([(one, Secret(one.encode() * 32)) for one in ids or ("k1",)], entropy=counted_entropy())
