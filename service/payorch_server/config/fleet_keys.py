"""Reads the fleet's keys: files with one line of base64, as `openssl rand -base64 32` writes it."""

import base64
import binascii
import itertools
import re
from collections.abc import Sequence
from typing import Final

from payorch_server.config.reading import looks_like_assignment, read_bytes
from payorch_server.model.names import label
from payorch_server.model.secret import Secret
from payorch_server.store.keyring import FORM_MARK, MIN_KEY_BYTES
from payorch_server.store.settings import KeySettings

_WHITE_SPACE: Final = b" \t\r\n"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_MAKE: Final = "make one with `openssl rand -base64 32`"
_MIN_DIFFERENT: Final = 16
"""Of 32 random bytes, fewer than 16 differ in less than one of 10^10 cases."""


def read_keys(path: str, settings: Sequence[KeySettings], problems: list[str]) -> tuple[tuple[str, Secret[bytes]], ...]:
    """Return the fleet's keys by id; adds what is wrong with them to the problems.

    The secret is the line with one newline at its end, whatever white space surrounds it in the file: a Secret that
    lost its newline on the way through a vault is the same key.

    Args:
        path: Of the list in the document.
        settings: The list.
        problems: Found so far.
    """
    keys: list[tuple[str, Secret[bytes]]] = []
    for index, key in enumerate(settings):
        file = f"{path}.{index}{label(key.id)}.file"
        before = len(problems)
        line = read_bytes(file, key.file, problems).strip(_WHITE_SPACE)
        if len(problems) == before and (problem := _problem(line)):
            problems.append(f"{file}: {key.file} {problem}")
        if FORM_MARK in key.id:
            problems.append(f"{path}.{index}.id: must not contain {FORM_MARK}, which ends the form of a fingerprint")
        keys.append((key.id, Secret(line + b"\n")))
    if len({key.id for key in settings}) != len(settings):
        problems.append(f"{path}: each id must be unique")
    return tuple(keys)


def _problem(line: bytes) -> str:
    """Return what is wrong with the content of a key file; empty if it is a key. No part of it is shown."""
    if not line:
        return f"is empty; {_MAKE}"
    if not line.isascii() or not line.replace(b"\r", b"").replace(b"\n", b"").decode().isprintable():
        return f"contains raw bytes; a key is one line of base64, {_MAKE}"
    if looks_like_assignment(line.decode()):
        return "contains name=value; write the value alone"
    if b"\n" in line or b"\r" in line:
        return "has several lines; a key is one line of base64, so join them or make one with `openssl rand -base64 32`"
    # Not base64 at all, or the digits of another encoding, or words: base64 of random bytes has letters of both cases.
    try:
        secret = base64.b64decode(line, validate=True) if _BASE64.fullmatch(line) else b""
    except binascii.Error:
        secret = b""
    if not secret or line.islower() or line.isupper():
        return f"is not base64 of random bytes; {_MAKE}"
    if len(secret) < MIN_KEY_BYTES:
        return f"has {len(secret)} bytes in base64 and must have at least {MIN_KEY_BYTES}; {_MAKE}"
    return f"can be guessed: {weakness}; {_MAKE}" if (weakness := _weakness(secret)) else ""


def _weakness(secret: bytes) -> str:
    """Return why random bytes would not look like this; empty if they could."""
    if all(32 <= byte < 127 or byte in _WHITE_SPACE for byte in secret):  # noqa: PLR2004 - printable ASCII
        return "it encodes a text, perhaps a key that was encoded twice"
    steps = {(after - before) % 256 for before, after in itertools.pairwise(secret)}
    if len(set(secret)) < _MIN_DIFFERENT or len(steps) < _MIN_DIFFERENT:
        return "its bytes repeat or follow a pattern"
    if any(secret[period:] == secret[:-period] for period in range(_MIN_DIFFERENT, len(secret) // 2 + 1)):
        return "its bytes repeat or follow a pattern"
    return ""
