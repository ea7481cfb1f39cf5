"""Says what is wrong with a setting in this project's words; pydantic's name types of Python."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from pydantic_core import ErrorDetails

from payorch_server.config.base_document import BaseDocument
from payorch_server.model.names import did_you_mean, nearest

_SECTION: Final = "must be a section with settings of its own"
_BOOLEAN: Final = "must be true or false, without quotes"
_MISSING: Final = "is missing; add it"
_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_TEXTS: Final = {
    "missing": _MISSING,
    "missing_argument": _MISSING,
    "string_type": "must be a text; write it in quotes",
    "tuple_type": "must be a list; write each entry in a line with '-', or all as JSON in a variable",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "dict_type": _SECTION,
    "mapping_type": _SECTION,
    "dataclass_type": _SECTION,
}
"""By kind of pydantic's errors."""
_ELSEWHERE: Final = {
    "apiVersion": "this is an object of Kubernetes; give a manifest to `check-config -`",
    "config": "values of the chart are checked by `helm template ... | payorch-server check-config -`",
    "upc": "it belongs to the hub, whose file `payorch-server upc check-config` checks",
    "tenants": "it belongs to the service, whose file `payorch-server check-config` checks",
    "routing": "it belongs to the service, whose file `payorch-server check-config` checks",
}
"""Sections of other files, and where they belong."""
_KEY: Final = "[key]"
"""How pydantic ends the path of a name in a section."""
_QUOTED: Final = re.compile("'([^']*)'")
_OTHER: Final = "has a value that this setting cannot have; `config-schema` describes what it can be"


def is_unknown(error: ErrorDetails) -> bool:
    """Whether the error is a setting that does not exist."""
    return error["type"] in _UNKNOWN


def problem_of(error: ErrorDetails, document: type[BaseDocument]) -> str:
    """Return the sentence for an error, which begins with the path of the setting."""
    path = dotted(error["loc"])
    if error["loc"][-1] == _KEY:
        return f"{dotted(error['loc'][:-2])}: each name must be a text; write numbers, true, false and null in quotes"
    if is_unknown(error):
        return f"{path}: no such setting{_advice(error, document)}"
    if error["type"] == "range":
        return f"{path}: {error['msg']}"
    if error["type"] == "literal_error":
        expected = error["ctx"]["expected"]
        return f"{path}: must be {expected}{did_you_mean(str(error['input']), _QUOTED.findall(expected))}"
    return f"{path}: {_TEXTS.get(error['type'], _OTHER)}"


def _advice(error: ErrorDetails, document: type[BaseDocument]) -> str:
    """Return what to do about a setting that does not exist; empty if that is unknown."""
    *sections, name = (str(part) for part in error["loc"])
    if not sections and name in _ELSEWHERE:
        return f"; {_ELSEWHERE[name]}"
    section, _, rest = name.partition(".")
    if rest:
        return f"; write what is in {section} below it, not after a point"
    near = near_name(document, error["loc"])
    return f"; did you mean {near}?" if near else ""


def dotted(parts: Sequence[object]) -> str:
    """Return the path of a setting as people write it."""
    return ".".join(str(part) for part in parts)


def near_name(document: type[BaseDocument], parts: Sequence[object]) -> str:
    """Return the setting that the last part of a path could mean; empty if none is near."""
    schema = _schema_of(document)
    section: dict[str, Any] = schema
    for part in parts[:-1]:
        section = _resolved(schema, _child(section, part))
    return nearest(str(parts[-1]), section.get("properties", ()))


@cache
def _schema_of(document: type[BaseDocument]) -> dict[str, Any]:
    """Return the schema of a document; it takes longer to make than all that is done with it."""
    return document.model_json_schema()


def _child(section: dict[str, Any], part: object) -> dict[str, Any]:
    below = section.get("properties", {}).get(part) or section.get("additionalProperties") or section.get("items")
    return below if isinstance(below, dict) else {}


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for choice in node.get("anyOf", ()):
        if "$ref" in choice:
            node = choice
    reference = node.get("$ref", "").removeprefix("#/$defs/")
    found: dict[str, Any] = schema["$defs"][reference] if reference else node
    return found
