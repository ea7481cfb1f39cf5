"""The table of numeric settings in docs/configuration.md, from the service's schema."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

BEGIN: Final = "<!-- ranges: begin -->\n"
END: Final = "<!-- ranges: end -->\n"
_PREFIX: Final = "#/$defs/"
_NUMBERS: Final = {"integer", "number"}


def with_ranges(page: str, schema: Mapping[str, Any]) -> str:
    """Return the page with a row for every setting that holds a number."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| setting | default | from | to |", "|---|---|---|---|", *sorted(_rows(schema, schema["$defs"], ""))]
    return before + BEGIN + "\n".join(rows) + "\n" + END + after


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
