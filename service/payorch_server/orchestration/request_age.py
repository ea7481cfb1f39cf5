import uuid
from datetime import UTC, datetime
from typing import Final

_UUID_7: Final = 7
_MILLISECONDS_BITS: Final = 80


def minted_at(request_id: str) -> datetime | None:
    """Return when a UUIDv7 was made, or None for any other request id.

    Source: RFC 9562, section 5.7: the first 48 bits are Unix time in milliseconds.
    """
    try:
        parsed = uuid.UUID(request_id)
    except ValueError:
        return None
    if parsed.version != _UUID_7:
        return None
    try:
        return datetime.fromtimestamp((parsed.int >> _MILLISECONDS_BITS) / 1000, UTC)
    except (ValueError, OverflowError):
        # 48 bits of milliseconds reach the year 10889, a date only the year 9999.
        return None
