"""Replaces whatever looks like a secret in a log line: the last line of defence.

Nothing should ever be found here: messages are rendered by the redactor, secrets are `Secret`, and texts of others are
masked where they come in.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from payorch_server.model.card_numbers import SCRUBBED, is_plain_id
from payorch_server.model.sensitive_text import SENSITIVE_NAMES, is_suspect, scrub_text

_MAX_DEPTH: Final = 8
# No card number has fewer than twelve digits.
_MIN_CARD_NUMBER: Final = 10**11
_SECRET_NAME: Final = re.compile(rf"(?i)(?:{SENSITIVE_NAMES})")
_HARMLESS: Final = frozenset({float, bool, type(None)})
# Names of ours, of tenants, rules and callers come again and again; ids do not, and are known by their form.
_MAX_REMEMBERED: Final = 2048
_MAX_REMEMBERED_CHARACTERS: Final = 200


def scrub(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without what looks like a secret: the same object if there is nothing to replace."""
    for value in event.values():
        kind = type(value)
        if kind is str:
            if len(value) > _MAX_REMEMBERED_CHARACTERS or not _is_harmless(value):
                break
        elif kind not in _HARMLESS and not (kind is int and -_MIN_CARD_NUMBER < value < _MIN_CARD_NUMBER):
            break
    else:
        if _are_harmless(tuple(event)):
            return event
    return {_scrub_key(name): _scrub_member(name, value, 0) for name, value in event.items()}


@lru_cache(_MAX_REMEMBERED)
def _is_harmless(text: str) -> bool:
    return is_plain_id(text) or not is_suspect(text)


@lru_cache(_MAX_REMEMBERED)
def _are_harmless(names: tuple[str, ...]) -> bool:
    return not any(map(is_suspect, names))


def _scrub_key(name: Any) -> Any:
    return scrub_text(name if isinstance(name, str) else str(name))


def _scrub_member(name: Any, value: Any, depth: int) -> Any:
    if isinstance(value, str | bytes) and isinstance(name, str) and _SECRET_NAME.fullmatch(name):
        return SCRUBBED
    return _scrub_value(value, depth)


def _scrub_value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return scrub_text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < _MIN_CARD_NUMBER else _scrub_number(value)
    if isinstance(value, bytes | bytearray | memoryview):
        # Rendered as Base64 it could not be looked into any more.
        return f"<{len(value)} bytes>"
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {_scrub_key(name): _scrub_member(name, member, depth + 1) for name, member in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_scrub_value(item, depth + 1) for item in value]
    return scrub_text(str(value))


def _scrub_number(value: int) -> int | str:
    text = str(value)
    return value if scrub_text(text) == text else SCRUBBED
