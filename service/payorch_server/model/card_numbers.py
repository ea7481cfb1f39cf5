"""Card numbers in texts, however they are written: in groups, in other scripts' digits, in Base64 or hexadecimal.

Every search is linear in the length of the text. A number that was reversed or enciphered is not found.
"""

import base64
import re
import unicodedata
from typing import Final

SCRUBBED: Final = "[scrubbed]"
_MIN_DIGITS: Final = 12
_MAX_DIGITS: Final = 19
# Track-Ids, UUIDs, hashes and Zuora's processIds may be nearly all digits and pass Luhn's check by chance, so they are
# read over as a whole.
_ID: Final = re.compile(
    r"(?<![0-9A-Fa-f])"
    r"(?:[0-9A-Fa-f]{32,}(?:-[0-9A-Fa-f]{16})?|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})(?![0-9A-Fa-f])"
    r"|(?<![0-9A-Za-z])(?=[0-9]{0,15}[A-F])[0-9A-F]{16}(?![0-9A-Za-z])"
)
# The forms of ids in which nearly all of ours and of Zuora's are, and in which a text can hold no secret but this one.
_PLAIN_ID: Final = re.compile(
    r"(?:po1-|upc1-)?[0-9a-f]{32,40}(?:-[0-9a-f]{16})?|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
)
_RUN: Final = re.compile(r"(?<![0-9])[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){11,}+")
_SEPARATORS: Final = re.compile(r"([^0-9]+)")
# Two of Zuora's billing codes beside each other have sixteen digits; they count as no part of a card number.
_BILLING_CODE: Final = re.compile(r"[569][0-9]{7}")
# The usual ways to write a number in groups; a third of all numbers in groups that look otherwise are times of day.
_USUAL_SEPARATORS: Final = frozenset({"", " ", "-"})
_SHAPES: Final = frozenset({(4, 6, 5), (4, 6, 4)})
# Beginnings and lengths of the card schemes' numbers. Source: ISO/IEC 7812-1 and the schemes' BIN tables.
_SCHEME: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11,16}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"
    r"|(?:5[06-9]|6[0-9])[0-9]{10,17}|220[0-4][0-9]{12,15}|8[12][0-9]{14}|9792[0-9]{12}"
)
# Characters from 0x20 to 0x3F, the digits among them, and the underscore, as pairs of hexadecimal digits. Patterns that
# begin with a class of characters are searched for fast.
_HEX_PAIR: Final = re.compile(r"[23][0-9A-Fa-f]|5[Ff]")
_HEX: Final = re.compile(r"[23][0-9A-Fa-f](?:[ :,-]?(?:\\x|0x|%)?(?:[23][0-9A-Fa-f]|5[Ff])){11,}+")
# Nine characters from 0x20 to 0x3F in Base64.
_FOUR: Final = "[I-P][CDSTijyz][AEIMQUYcgkosw048][g-z0-9+/_-]"
_BASE64: Final = re.compile(_FOUR * 3)
_BASE64_TOKEN: Final = re.compile(r"[0-9A-Za-z+/_-]{12,}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_DIGITS_TO_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
_NEITHER_DIGIT_NOR_LETTER: Final = bytes(code for code in range(128) if not chr(code).isalnum())
# Each digit times two, and the digits of that added.
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_TWELVE_DIGITS: Final = b"0" * _MIN_DIGITS


def may_hold_card_number(text: str) -> bool:
    """Return whether a text may hold a card number; cheap, and without false negatives."""
    if not text.isascii():
        text = _with_ascii_digits(text)
    # Only where there are so many digits: a tenth of all lines, for the ids in them.
    has_digits = _has_digits(text) and _has_digits(_ID.sub("z", text))
    return has_digits or _BASE64.search(text) is not None or _HEX.search(text) is not None


def is_plain_id(text: str) -> bool:
    """Return whether a text is a hash, UUID, Track-Id or key in small letters with no card number in hexadecimal."""
    return _PLAIN_ID.fullmatch(text) is not None and _HEX.search(text) is None


def _has_digits(text: str) -> bool:
    """Return whether a text of ASCII has twelve digits with no letter between them."""
    return _TWELVE_DIGITS in text.encode().translate(_DIGITS_TO_ZERO, _NEITHER_DIGIT_NOR_LETTER)


def without_card_numbers(text: str) -> str:
    """Replace every card number in a text.

    Plain numbers need their check digit. Between their digits may stand blanks and hyphens; or up to four characters
    that are no letters, the same everywhere or in a card's usual groups, and then the number must begin as a card
    scheme's numbers do. Ids of 32 hexadecimal digits, UUIDs and Track-Ids that the service made stay as they are.
    """
    text = _HEX.sub(_without_hex, text)
    if _BASE64.search(text):
        text = _BASE64_TOKEN.sub(_without_base64, text)
    return _without_runs(text)


def _passes_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of those before it."""
    characters = digits.encode()
    total = sum(characters[-1::-2]) + sum(characters[-2::-2].translate(_DOUBLED)) - ord("0") * len(characters)
    return total % 10 == 0


def _with_ascii_digits(text: str) -> str:
    """Return a text of the same length with the digits, blanks and hyphens of every script as those of ASCII."""
    return "".join(char if char.isascii() else _as_ascii(char) for char in text)


def _as_ascii(char: str) -> str:
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category == "Pd":
        return "-"
    return " " if category == "Zs" else "\x1f"


def _without_runs(text: str) -> str:
    plain = text if text.isascii() else _with_ascii_digits(text)
    kept: list[str] = []
    at = end = 0
    # Between the ids.
    for found in (*_ID.finditer(plain), None):
        end = len(text) if found is None else found.start()
        for run in _RUN.finditer(plain, at, end):
            if _is_card(run.group()):
                kept += (text[at : run.start()], SCRUBBED)
                at = run.end()
        if found is not None:
            kept.append(text[at : found.end()])
            at = found.end()
    return "".join((*kept, text[at:]))


def _is_card(run: str) -> bool:
    """Return whether neighbouring groups of digits form a card number."""
    parts = _SEPARATORS.split(run)
    groups = [("" if _BILLING_CODE.fullmatch(group) else group) for group in parts[::2]]
    separators = parts[1::2]
    for first in range(len(groups)):
        digits = ""
        for last in range(first, len(groups)):
            digits += groups[last]
            if not groups[last] or len(digits) > _MAX_DIGITS:
                break
            if len(digits) >= _MIN_DIGITS and _is_plausible(digits, groups[first : last + 1], separators[first:last]):
                return True
    return False


def _is_plausible(digits: str, groups: list[str], separators: list[str]) -> bool:
    if not _USUAL_SEPARATORS.issuperset(separators):
        lengths = tuple(map(len, groups))
        is_even = len(set(separators)) == 1 or lengths in _SHAPES or set(lengths[:-1]) == {4}
        if not is_even or not _SCHEME.fullmatch(digits):
            return False
    return _passes_luhn(digits)


def _without_hex(match: re.Match[str]) -> str:
    decoded = bytes.fromhex("".join(_HEX_PAIR.findall(match.group()))).decode("latin-1")
    return SCRUBBED if _holds_run(decoded) else match.group()


def _without_base64(match: re.Match[str]) -> str:
    token = match.group()
    core = _BASE64.search(token)
    if core is None:
        return token
    # The core shows where groups of four begin; an incomplete group before the first whole one was cut off.
    aligned = "A" * (-core.start() % 4) + token.translate(_URL_SAFE)
    aligned = aligned[: len(aligned) - (len(aligned) % 4 == 1)]
    decoded = base64.b64decode(aligned + "=" * (-len(aligned) % 4)).decode("latin-1")
    return SCRUBBED if _holds_run(decoded) else token


def _holds_run(text: str) -> bool:
    return any(_is_card(run) for run in _RUN.findall(text))
