"""The table of values in the chart's README.md."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from values_file import Comment

BEGIN: Final = "<!-- values: begin -->\n"
END: Final = "<!-- values: end -->\n"


def with_values(page: str, values: Mapping[str, Any], comments: Mapping[str, Comment]) -> str:
    """Return the page with a row for every key that has a comment."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(_rows(values, comments)) + "\n" + END + after


def _rows(values: Mapping[str, Any], comments: Mapping[str, Comment]) -> Iterator[str]:
    yield "| value | default | meaning |"
    yield "|---|---|---|"
    for path, comment in comments.items():
        sections = any(other.startswith(f"{path}.") for other in comments)
        default = "" if sections else f"`{_cell(json.dumps(_at(values, path), ensure_ascii=False))}`"
        yield f"| `{path}` | {default} | {_cell(comment.text)} |"


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
