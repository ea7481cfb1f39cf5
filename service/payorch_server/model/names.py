"""Parts of sentences: names, of which only those are shown that can be names, near names, and numbers of things."""

import difflib
import re
from collections.abc import Collection
from typing import Final

from payorch_server.model.sensitive_text import scrub_text

_NAME: Final = re.compile(r"[A-Za-z0-9_.:/%* -]{0,128}")
_MAX_COMPARED_CHARACTERS: Final = 128


def shown_name(text: str) -> str:
    """Return a name as errors may show it; what is none may be a secret in the wrong place."""
    return text if _is_shown(text) else "the value"


def label(text: str) -> str:
    """Return the name of an entry of a list as it stands behind its index; empty if it is none."""
    return f" ({text})" if _is_shown(text) else ""


def _is_shown(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and scrub_text(text) == text


def nearest(text: str, known: Collection[str]) -> str:
    """Return the name that a text could mean, whatever its case; empty if none is near.

    Args:
        text: What was written.
        known: The names that exist.
    """
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(text[:_MAX_COMPARED_CHARACTERS].lower(), by_lower, n=1)
    return by_lower[found[0]] if found else ""


def did_you_mean(text: str, known: Collection[str]) -> str:
    """Return the end of a sentence that offers the name that a text could mean; empty if none is near."""
    near = nearest(text, known)
    return f"; did you mean {near}?" if near else ""


def counted(number: int, thing: str) -> str:
    """Return a number of things, such as `1 rule` and `2 rules`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
