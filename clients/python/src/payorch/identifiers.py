"""Names that the caller gives: of an intent, and of the call in Zuora's logs."""

import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_TRACK_ID: Final[ContextVar[str]] = ContextVar("payorch_track_id", default="")
_MS_PER_NS: Final = 1_000_000
_RANDOM_BYTES: Final = 10
# A part of the rules of the service, which refuses a Track-Id of another form.
_TRACK_ID_FORM: Final = re.compile(r"[!-~]{1,64}", re.ASCII)
_NOT_IN_TRACK_ID: Final = frozenset(":;,\"'")


def new_request_id() -> str:
    """Return a fresh name for an intent: a UUID of version 7 (RFC 9562), which shows the service when it was made.

    Keep it with the order before the first send, and send it again with every resend of the same thing to be done.

    >>> len(new_request_id())
    36
    """
    random = int.from_bytes(os.urandom(_RANDOM_BYTES))
    value = (time.time_ns() // _MS_PER_NS & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=value))


@contextmanager
def tracked(track_id: str) -> Iterator[None]:
    """Have every call within carry this Zuora-Track-Id, in this thread or task and those that inherit its context.

    Args:
        track_id: 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma.

    Raises:
        ValueError: It has another form.

    >>> with tracked("order-4711"):
    ...     current_track_id()
    'order-4711'
    """
    if not _TRACK_ID_FORM.fullmatch(track_id) or _NOT_IN_TRACK_ID.intersection(track_id):
        raise ValueError(
            f"track_id: {track_id!r} is not 1 to 64 characters from 0x21 to 0x7E without : ; \" ' and comma"
        )
    token = _TRACK_ID.set(track_id)
    try:
        yield
    finally:
        _TRACK_ID.reset(token)


def current_track_id() -> str:
    """Return the Zuora-Track-Id of the context; empty: the service makes one."""
    return _TRACK_ID.get()
