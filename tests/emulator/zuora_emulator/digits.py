"""Whole numbers that callers write as text."""

_MOST_DIGITS = 40
"""Far fewer than those that Python refuses to read."""


def whole_number(text: str) -> int | None:
    """Return the number that up to 40 ASCII digits are; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
