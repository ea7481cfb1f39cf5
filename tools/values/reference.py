"""The tables of docs/configuration-reference.md: every setting of the service and of the hub.

Types, defaults and descriptions come from the schemas. Whether a running process applies a change is found by making
each change in a document that has every setting, and asking the check that the process itself asks. Since when a
setting exists is kept in the page: a row that is not in it yet gets the present version.
"""

import copy
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from payorch_server import version
from payorch_server.config import Document, change_problems, schema, watched_files
from payorch_server.config.base_document import BaseDocument
from payorch_server.config.hub_changes import hub_change_problems, watched_hub_files
from payorch_server.config.hub_document import HubDocument, hub_schema

_PREFIX: Final = "#/$defs/"
_NAME: Final = "NAME"
_INDEX: Final = "N"
_ROW: Final = re.compile(r"^\| `([\w.]+)` \|.*\| ([0-9]\S*) \| .* \|$", re.MULTILINE)
_HEAD: Final = "| setting | type and range | default | applies | since | description |\n|---|---|---|---|---|---|\n"
_TYPES: Final = {
    "string": "text",
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
}
_MISSING: Final = object()


class UndescribedError(Exception):
    """A setting has no description."""


@dataclass(frozen=True, slots=True)
class _Setting:
    path: tuple[str, ...]
    node: Mapping[str, Any]
    """Its schema, with that of the section that it refers to."""
    default: Any
    """_MISSING: it is required."""
    nullable: bool


@dataclass(frozen=True, slots=True)
class _Process:
    """A process that reads a configuration."""

    kind: type[BaseDocument]
    schema: Mapping[str, Any]
    problems: Callable[[Any, Any], Iterator[str]]
    """What it would refuse of a change from one document to another."""
    watched: Callable[[Any], Collection[Path]]
    """Files whose changed contents it applies."""


_SERVICE: Final = _Process(Document, schema(), change_problems, lambda document: watched_files((), document))
_HUB: Final = _Process(HubDocument, hub_schema(), hub_change_problems, lambda document: watched_hub_files((), document))


def with_reference(page: str) -> str:
    """Return the page with all tables.

    Raises:
        UndescribedError: A setting has no description.
    """
    for name, process in (("service", _SERVICE), ("hub", _HUB)):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = page.partition(begin)
        old, _, after = rest.partition(end)
        page = before + begin + _tables(process, dict(_ROW.findall(old))) + end + after
    return page


def _tables(process: _Process, since: Mapping[str, str]) -> str:
    settings = [*_settings(process.schema)]
    whole = _filled(settings)
    text = ""
    for section in process.schema["properties"]:
        text += f"\n### `{section}`\n\n{_HEAD}"
        text += "".join(_row(setting, process, whole, since) for setting in settings if setting.path[0] == section)
    return f"{text}\n"


def _settings(document: Mapping[str, Any]) -> Iterator[_Setting]:
    for name, node in document["properties"].items():
        yield from _below((name,), node, _default_in(document, name), document["$defs"])


def _below(
    path: tuple[str, ...], node: Mapping[str, Any], default: Any, parts: Mapping[str, Any]
) -> Iterator[_Setting]:
    """Yield a setting and those in it; the default of a section says what is in it while it is left out."""
    nullable = any(choice.get("type") == "null" for choice in node.get("anyOf", ()))
    for choice in node.get("anyOf", ()):
        if choice.get("type") != "null":
            node = choice | {key: value for key, value in node.items() if key != "anyOf"}
    if "$ref" in node:
        part = parts[node["$ref"].removeprefix(_PREFIX)]
        own = node.get("description", "")
        # What an absent section means is said where it may be absent; what is in it, by the section itself.
        said = {"description": f"{part['description']} {own}"} if nullable or not own else {"description": own}
        node = part | said
    yield _Setting(path, node, default, nullable=nullable)
    given = default if isinstance(default, Mapping) else {}
    for name, child in node.get("properties", {}).items():
        yield from _below((*path, name), child, given.get(name, _default_in(node, name)), parts)
    for step, child in ((_NAME, node.get("additionalProperties")), (_INDEX, node.get("items"))):
        if isinstance(child, Mapping) and "$ref" in child:
            yield from _below((*path, step), child, {}, parts)


def _default_in(section: Mapping[str, Any], name: str) -> Any:
    return _MISSING if name in section.get("required", ()) else section["properties"][name].get("default", "")


def _row(setting: _Setting, process: _Process, whole: dict[str, Any], since: Mapping[str, str]) -> str:
    path = ".".join(setting.path)
    description = " ".join(setting.node.get("description", "").split()).replace("|", "\\|").replace("*", "\\*")
    if not description:
        raise UndescribedError(f"{path}: has no description; write it below the setting in the code.")
    applies = _applies(setting, process, whole)
    return (
        f"| `{path}` | {_type(setting.node)} | {_default(setting)} | {applies} | {since.get(path, version())} "
        f"| {description} |\n"
    )


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return "one of " + ", ".join(f"`{value}`" for value in node["enum"])
    if "items" in node:
        return "list of sections" if "$ref" in node["items"] else "list of texts"
    if isinstance(below := node.get("additionalProperties"), Mapping):
        return "sections by name" if "$ref" in below else "texts by name"
    if "properties" in node:
        return "section"
    unit = f" of {node['x-unit']}" if "x-unit" in node else ""
    limits = f", {node['minimum']:.15g} to {node['maximum']:.15g}" if "minimum" in node else ""
    pattern = f", `{node['pattern']}`" if "pattern" in node else ""
    return _TYPES[node["type"]] + unit + limits + pattern


def _default(setting: _Setting) -> str:
    value = setting.default
    if value is _MISSING:
        return "required"
    if value is None:
        return "none"
    if "properties" in setting.node or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, int | float) else f"`{value}`"


def _applies(setting: _Setting, process: _Process, whole: dict[str, Any]) -> str:
    """Return when a change of a setting is applied, and of the content of the file that it names.

    Empty: a section that is always there, and changes only by what is in it.
    """
    changes = [*_changes(whole, setting)]
    before = process.kind(**whole)
    needs_restart = any([*process.problems(before, process.kind(**changed))] for changed in changes)
    is_watched = Path(_text(setting.path)) in process.watched(before)
    if needs_restart:
        return "restart; its content: reload" if is_watched else "restart"
    return "reload" if changes else ""


def _filled(settings: list[_Setting]) -> dict[str, Any]:
    """Return a document that has every setting."""
    document: dict[str, Any] = {}
    for setting in settings:
        if "properties" not in setting.node:
            document = _put(document, setting.path, _value(setting))
    return document


def _text(path: tuple[str, ...]) -> str:
    return "/" + "/".join(path)


def _value(setting: _Setting) -> Any:
    """Return a value that a setting can have."""
    node = setting.node
    if "enum" in node:
        return node["enum"][0]
    if "items" in node:
        return [] if "$ref" in node["items"] else [_text(setting.path)]
    if isinstance(below := node.get("additionalProperties"), Mapping):
        return {} if "$ref" in below else {_NAME: _text(setting.path)}
    return {"boolean": False, "string": _text(setting.path)}.get(node["type"], node.get("minimum"))


def _changes(whole: dict[str, Any], setting: _Setting) -> Iterator[dict[str, Any]]:
    """Yield documents in which one setting differs."""
    node = setting.node
    if setting.nullable:
        yield _put(whole, setting.path, None)
    if setting.path[-1] in {_NAME, _INDEX}:
        yield _put(whole, setting.path[:-1], [] if setting.path[-1] == _INDEX else {})
    elif "enum" in node:
        yield _put(whole, setting.path, node["enum"][-1])
    elif "items" in node:
        yield _put(whole, setting.path, [])
    elif isinstance(node.get("additionalProperties"), Mapping):
        yield _put(whole, setting.path, {})
    elif "properties" not in node:
        yield _put(whole, setting.path, {"boolean": True, "string": "other"}.get(node["type"], node.get("maximum")))


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a copy of a document with one value in it."""
    document = copy.deepcopy(document)
    section: Any = document
    for step, following in itertools.pairwise((*path, "")):
        if step == _INDEX:
            section[:] = section or [{}]
            section = section[0]
        elif following:
            section = section.setdefault(step, [] if following == _INDEX else {})
        else:
            section[step] = value
    return document
