"""The header fields of answers, by lower-case name.

A field that has one value may arrive twice, as two lines or joined by a proxy with a comma. Equal values are one.
Of different ones a wait is the longest and a remainder the smallest; ids, dates and types contradict each other, so
none of them is believed.
"""

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from payorch_server.zuora.messages import REQUEST_ID_HEADER, TRACK_ID_HEADER

_WAITS: Final = frozenset({"retry-after", "ratelimit-reset"})
_REMAINDERS: Final = frozenset({"ratelimit-remaining", "concurrency-limit-remaining"})
_EXACT: Final = frozenset({REQUEST_ID_HEADER, TRACK_ID_HEADER, "content-type"})
# A date holds a comma of its own, so only lines of their own are several values.
_UNSPLIT: Final = frozenset({"date"})
# A field may be as long as a head; a tenant's answers need one.
_MAX_DATES: Final = 8


def header_fields(lines: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the fields of an answer.

    Args:
        lines: Name and value of each line, in their order.
    """
    try:
        decoded = [(name.decode(), value.decode()) for name, value in lines]
    except UnicodeDecodeError:
        # Source: RFC 9110, section 5.5: historically a value could be in this charset.
        decoded = [(name.decode("iso-8859-1"), value.decode("iso-8859-1")) for name, value in lines]
    values: dict[str, list[str]] = {}
    for name, value in decoded:
        values.setdefault(name.lower(), []).append(value.strip())
    return {name: _joined(name, several) for name, several in values.items()}


# Under load, many answers in a row name the same second.
@lru_cache(maxsize=_MAX_DATES)
def http_date_s(text: str) -> float | None:
    """Return an HTTP date, Unix time, or None if it cannot be read."""
    try:
        stated = parsedate_to_datetime(text)
        return stated.timestamp() if stated.tzinfo else None
    except (ValueError, OverflowError, IndexError):
        return None


def _joined(name: str, values: list[str]) -> str:
    if len(values) == 1 and "," not in values[0]:
        return values[0]
    if name in _UNSPLIT:
        return values[0] if len(set(values)) == 1 else ""
    joined = ", ".join(values)
    if name not in _WAITS | _REMAINDERS | _EXACT:
        return joined
    parts = list(dict.fromkeys(part.strip() for part in joined.split(",")))
    if len(parts) == 1:
        return parts[0]
    numbers = [part for part in parts if part.isascii() and part.isdigit()]
    if name in _EXACT:
        return ""
    if not numbers:
        return joined
    return max(numbers, key=_magnitude) if name in _WAITS else min(numbers, key=_magnitude)


def _magnitude(digits: str) -> tuple[int, str]:
    """Order numbers of any length without converting them."""
    plain = digits.lstrip("0")
    return len(plain), plain
