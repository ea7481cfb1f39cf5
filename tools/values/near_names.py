"""Questions in a schema: a key that is almost one of those that there are is refused with the name of that one.

JSON schema has no texts of errors, but every reader shows what a `const` demands. So each closed object gets, for each
of its keys, a pattern of the names that are near, whose values must be the question.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

KNOWN_AS: Final = "known_as"
"""Keyword of ours beside a key's schema: names that other charts have for it."""
_SHORT: Final = 3
"""Up to so many letters, a window of two would match almost anything."""


def with_questions(node: Any) -> Any:
    """Return a schema in which every closed object asks whether another key was meant."""
    if isinstance(node, list):
        return [with_questions(item) for item in node]
    if not isinstance(node, dict):
        return node
    fresh = {key: with_questions(item) for key, item in node.items() if key != KNOWN_AS}
    properties = node.get("properties")
    if isinstance(properties, dict) and node.get("additionalProperties") is False:
        fresh["patternProperties"] = dict(_questions(properties))
    return fresh


def _questions(properties: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, child in properties.items():
        names = [*_near(key, properties), *child.get(KNOWN_AS, ())]
        if names:
            yield f"^({'|'.join(names)})$", {"const": f"of a key that exists; did you mean {key}?"}


def _near(key: str, keys: Iterable[str]) -> Iterator[str]:
    """Yield patterns of names with a letter more, less or other than the key, or two that changed places.

    None matches the key itself or another one.
    """
    width = 1 if len(key) <= _SHORT else 2
    for start in range(len(key) - width + 1):
        first, *second = key[start : start + width]
        other = (f"[^{first}].", f"{first}[^{second[0]}]") if second else (f"[^{first}]",)
        before, after = key[:start], key[start + width :]
        windows = ("." * (width - 1), "." * (width + 1), *other)
        free = [window for window in windows if not any(re.fullmatch(before + window + after, known) for known in keys)]
        if free:
            yield f"{before}({'|'.join(free)}){after}"
