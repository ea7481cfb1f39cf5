"""Texts without what looks like a secret: card numbers, IBANs, tokens, addresses of e-mail and passwords.

It knows forms, not fields, so it cannot know a name or an address.
"""

import re
from typing import Final
from urllib.parse import unquote_plus

from payorch_server.model.card_numbers import SCRUBBED, may_hold_card_number, without_card_numbers

# Hashes and Zuora's processIds have 32 and 16 hexadecimal digits; of IBANs only Belgium's are as long as these.
_IBAN: Final = re.compile(
    r"(?<![0-9A-Za-z])(?!(?:[0-9A-F]{32}|(?!BE)[0-9A-F]{16})(?![0-9A-Za-z]))"
    r"[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}(?![0-9A-Za-z])"
)
_JWT: Final = re.compile(r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*){0,2}")
_BEARER: Final = re.compile(r"(?i)(?<![a-z])bearer[ \t]+[0-9a-z._~+/-]{8,}=*")
_EMAIL: Final = re.compile(r"""(?<![^\s"'<>(),:;=])[^\s"'<>(),:;=@]++(?:@[^\s"'<>(),:;@]+)+""")
SENSITIVE_NAMES: Final = (
    r"client_?secret|(?:access|refresh|id|session)_?token|pass(?:word|wd)|(?:api|private)_?key|(?:proxy-)?authorization"
)
"""Pattern of the names of members that hold secrets, whatever their case."""
# In JSON, in JSON inside JSON, in forms and in headers.
_PAIR: Final = re.compile(
    rf"""(?i)((?:{SENSITIVE_NAMES})(?:\\*["']\s*:\s*|\\*["']?\s*=\s*)\\*["']?)(?:(?:basic|bearer)\s+)?[^\s"'\\&,;{{}}]+"""
)
_KEYS: Final = ("apikey", "api_key", "privatekey", "private_key")
# Wider than the patterns above, so that it is fast.
_CAPITALS: Final = re.compile(r"[A-Z][A-Z][0-9][0-9]")
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_TOKEN: Final = re.compile(r"""[^\s"'<>&;]+""")
# Encoded more often, nothing can be read back by accident.
_MAX_ENCODINGS: Final = 3
_LETTER_TO_DIGITS: Final = 55
_MODULUS: Final = 97


def scrub_text(text: str) -> str:
    """Replace in a text what looks like a card number, an IBAN, a token, an address of e-mail or a password.

    All of it is also found percent-encoded. IBANs need their check digits; blanks may stand in them. Track-Ids, UUIDs,
    hashes, timestamps and Zuora's codes stay as they are.
    """
    if not is_suspect(text):
        return text
    text = _scrub_plain(text)
    return _TOKEN.sub(_without_encoded, text) if _ENCODED.search(text) else text


def is_suspect(text: str) -> bool:
    """Return whether a text may hold a secret; cheap, and without false negatives."""
    if "@" in text or "eyJ" in text or may_hold_card_number(text) or _CAPITALS.search(text) or _ENCODED.search(text):
        return True
    lower = text.lower()
    return (
        "bearer" in lower
        or "secret" in lower
        or "token" in lower
        or "passw" in lower
        # Many lines have a member of the name `key`, which is none of these.
        or ("key" in lower and (not text.isascii() or any(map(lower.__contains__, _KEYS))))
        or "authorization" in lower
    )


def _scrub_plain(text: str) -> str:
    """Replace until nothing is found: a token that follows a card number without a gap begins only behind it."""
    found = None
    while found != text:
        found = text
        for pattern, replacement in _REPLACED:
            text = pattern.sub(replacement, text)
        text = _IBAN.sub(_without_iban, without_card_numbers(text))
    return text


def _without_encoded(match: re.Match[str]) -> str:
    """Return a word, or a replacement if it holds a secret in percent-encoding, which may have been encoded again."""
    word = decoded = match.group()
    for _ in range(_MAX_ENCODINGS):
        if "%" not in decoded:
            break
        decoded = unquote_plus(decoded)
    return word if decoded == word or _scrub_plain(decoded) == decoded else SCRUBBED


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


_REPLACED: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (_PAIR, rf"\1{SCRUBBED}"),
    (_BEARER, SCRUBBED),
    (_JWT, SCRUBBED),
    (_EMAIL, SCRUBBED),
)
