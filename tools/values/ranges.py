"""The tables of numeric settings in docs/configuration.md, from the schemas of the service and of the hub."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_PREFIX: Final = "#/$defs/"
_NUMBERS: Final = {"integer", "number"}


def with_ranges(page: str, schema: Mapping[str, Any], *, table: str = "ranges", below: str = "") -> str:
    """Return the page with a row for every setting that holds a number.

    Args:
        page: The page, with a comment before and after the table.
        schema: Of the document.
        table: Name of the table in the comments.
        below: How the paths begin that are shown; empty: all.
    """
    begin, end = f"<!-- {table}: begin -->\n", f"<!-- {table}: end -->\n"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    found = sorted(row for row in _rows(schema, schema["$defs"], "") if row.startswith(f"| `{below}"))
    rows = ["| setting | default | from | to |", "|---|---|---|---|", *found]
    return before + begin + "\n".join(rows) + "\n" + end + after


def _rows(node: Mapping[str, Any], parts: Mapping[str, Any], path: str) -> Iterator[str]:
    if "$ref" in node:
        yield from _rows(parts[node["$ref"].removeprefix(_PREFIX)], parts, path)
    elif node.get("type") in _NUMBERS:
        default, least, most = (f"{node[key]:.15g}" for key in ("default", "minimum", "maximum"))
        yield f"| `{path}` | {default} | {least} | {most} |"
    for name, child in node.get("properties", {}).items():
        yield from _rows(child, parts, f"{path}.{name}" if path else name)
    for child in node.get("anyOf", ()):
        yield from _rows(child, parts, path)
    if isinstance(below := node.get("additionalProperties"), dict):
        yield from _rows(below, parts, f"{path}.NAME")
