"""Replaces whatever looks like a secret in a log line: the last line of defence.

Nothing should ever be found here: messages are rendered by the redactor, secrets are `Secret`, and texts of others are
masked where they come in. It knows forms, not fields, so it cannot know a name or an address.
"""

import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

SCRUBBED: Final = "[scrubbed]"
_MAX_DEPTH: Final = 8
_MIN_CARD_DIGITS: Final = 12
_MAX_CARD_DIGITS: Final = 19
_MIN_CARD_NUMBER: Final = 10 ** (_MIN_CARD_DIGITS - 1)
# Track-Ids, UUIDs and hashes may be all digits and pass Luhn's check by chance, so they are read over as a whole. Two
# of Zuora's billing codes beside each other have sixteen digits; they count as no part of a card number.
_CARD: Final = re.compile(
    r"(?P<id>(?<![0-9A-Fa-f])"
    r"(?:[0-9A-Fa-f]{32,}(?:-[0-9A-Fa-f]{16})?|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})(?![0-9A-Fa-f]))"
    r"|(?<![0-9])[0-9](?:[ -]?[0-9]){11,}+"
)
_BILLING_CODE: Final = re.compile(r"[569][0-9]{7}")
_IBAN: Final = re.compile(
    r"(?<![0-9A-Za-z])(?![0-9A-F]{32}(?![0-9A-Za-z]))[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}(?![0-9A-Za-z])"
)
_JWT: Final = re.compile(r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*){0,2}")
_BEARER: Final = re.compile(r"(?i)(?<![a-z])bearer[ \t]+[0-9a-z._~+/-]{8,}=*")
_EMAIL: Final = re.compile(r"""(?<![^\s"'<>(),:;=])[^\s"'<>(),:;=@]++(?:@[^\s"'<>(),:;@]+)+""")
_NAMES: Final = (
    r"client_?secret|(?:access|refresh|id|session)_?token|pass(?:word|wd)|(?:api|private)_?key|(?:proxy-)?authorization"
)
# In JSON, in JSON inside JSON, in forms and in headers.
_PAIR: Final = re.compile(
    rf"""(?i)((?:{_NAMES})(?:\\*["']\s*:\s*|\\*["']?\s*=\s*)\\*["']?)(?:(?:basic|bearer)\s+)?[^\s"'\\&,;{{}}]+"""
)
_SECRET_NAME: Final = re.compile(rf"(?i)(?:{_NAMES})")
# Wider than the patterns above, so that they are fast.
_DIGITS: Final = re.compile(r"[0-9][0-9 -]{11}")
_CAPITALS: Final = re.compile(r"[A-Z][A-Z][0-9][0-9]")
_HARMLESS: Final = frozenset({float, bool, type(None)})
_LETTER_TO_DIGITS: Final = 55
_MODULUS: Final = 97


def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out of an event what looks like a secret; the last processor before the one that renders."""
    # Almost every line has nothing to replace, which a search of all its texts together shows.
    texts = [*event]
    for value in event.values():
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind not in _HARMLESS and not (kind is int and -_MIN_CARD_NUMBER < value < _MIN_CARD_NUMBER):
            break
    else:
        if not _is_suspect("\n".join(texts)):
            return event
    return {_scrub_key(name): _scrub_member(name, value, 0) for name, value in event.items()}


def scrub_text(text: str) -> str:
    """Replace in a text what looks like a card number, an IBAN, a token, an address of e-mail or a password.

    Card numbers need their check digit, IBANs theirs; blanks and hyphens may stand in them. Track-Ids, UUIDs, hashes,
    timestamps and Zuora's codes stay as they are.
    """
    if not _is_suspect(text):
        return text
    for pattern, replacement in _REPLACED:
        text = pattern.sub(replacement, text)
    return text


def _is_suspect(text: str) -> bool:
    """Return whether a text may hold a secret; cheap, and without false negatives."""
    if "@" in text or "eyJ" in text or _DIGITS.search(text) or _CAPITALS.search(text):
        return True
    lower = text.lower()
    return (
        "bearer" in lower
        or "secret" in lower
        or "token" in lower
        or "passw" in lower
        or "key" in lower
        or "authorization" in lower
    )


def _without_card(match: re.Match[str]) -> str:
    text = match.group()
    if match.group("id"):
        return text
    groups = [("" if _BILLING_CODE.fullmatch(group) else group) for group in re.split("[ -]", text)]
    return SCRUBBED if _holds_card(groups) else text


def _holds_card(groups: list[str]) -> bool:
    """Return whether neighbouring groups of digits form a card number; an empty group separates its neighbours."""
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if not group or len(digits) > _MAX_CARD_DIGITS:
                break
            if len(digits) >= _MIN_CARD_DIGITS and _passes_luhn(digits):
                return True
    return False


def _passes_luhn(digits: str) -> bool:
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(two - 9 if two > 9 else two for two in doubled)) % 10 == 0  # noqa: PLR2004 - Luhn's own numbers


def _without_iban(match: re.Match[str]) -> str:
    text = match.group()
    words = text.split(" ")
    # What follows an IBAN after a blank may look like a part of it.
    for count in range(len(words), 0, -1):
        if _passes_mod_97("".join(words[:count])):
            return " ".join([SCRUBBED, *words[count:]])
    return text


def _passes_mod_97(iban: str) -> bool:
    rotated = iban[4:] + iban[:4]
    digits = "".join(char if char.isdigit() else str(ord(char) - _LETTER_TO_DIGITS) for char in rotated)
    return int(digits) % _MODULUS == 1


_REPLACED: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (_PAIR, rf"\1{SCRUBBED}"),
    (_BEARER, SCRUBBED),
    (_JWT, SCRUBBED),
    (_EMAIL, SCRUBBED),
    (_CARD, _without_card),
    (_IBAN, _without_iban),
)


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
