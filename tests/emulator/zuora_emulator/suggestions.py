"""What a person may have meant by a misspelt name."""

import difflib
from collections.abc import Iterable

_MOST_COMPARED = 64
"""Characters of what was written; names are shorter."""


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """Return the end of a sentence, which offers the nearest known name if there is one like it."""
    by_lower = {name.lower(): str(name) for name in known}
    found = difflib.get_close_matches(written[:_MOST_COMPARED].lower(), by_lower, n=1)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else "."
