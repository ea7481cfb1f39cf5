"""values.schema.json: the values file's keys, and below `config` what service and hub say of their configuration."""

from collections.abc import Mapping
from typing import Any, Final

from kubernetes_parts import DEFINITIONS
from near_names import with_questions
from payorch_server.config import schema
from payorch_server.config.hub_document import hub_schema
from payorch_server.zuora.settings import ENVIRONMENTS
from values_file import NONE, Comment, ValuesError

_CONFIG: Final = "config"
_HUB_CONFIG: Final = "upc.config"
_DOCUMENTS: Final = {_CONFIG: "Document", _HUB_CONFIG: "HubDocument"}
"""Where the values hold a whole configuration, and the name of its schema."""
_SET_BY_THE_CHART: Final = "client_secret_file"
_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_PREFIX: Final = "#/$defs/"
_LEFT_OUT: Final = {"title", "default", "x-unit", "$id", "$schema"}


def values_schema(values: Mapping[str, Any], comments: Mapping[str, Comment]) -> dict[str, Any]:
    """Return what values.schema.json must be."""
    definitions = dict(sorted((DEFINITIONS | _of_the_documents(comments)).items()))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the payorch chart",
        **with_questions(_object(values, comments, "")),
        "$defs": {name: with_questions(definition) for name, definition in definitions.items()},
    }


def _object(values: Mapping[str, Any], comments: Mapping[str, Comment], path: str) -> dict[str, Any]:
    """Return the closed schema of a section.

    Helm drops a key that is given as null: one whose default means nothing may be dropped, any other must be there.
    """
    said = {key: comments.get(f"{path}{key}", NONE).required for key in values}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key for key, value in values.items() if said[key] or (said[key] is None and _matters(value))],
        "properties": {key: _node(value, comments, f"{path}{key}") for key, value in values.items()},
    }


def _matters(value: Any) -> bool:
    """Whether a default is more than nothing: an empty text, list or map, and false, are the same as no value."""
    return bool(value) or type(value) in {int, float}


def _node(value: Any, comments: Mapping[str, Comment], path: str) -> dict[str, Any]:
    comment = comments.get(path, NONE)
    said = dict(comment.keywords)
    described = {"description": comment.text} if comment.text else {}
    if path in _DOCUMENTS:
        return described | {"$ref": f"{_PREFIX}{_DOCUMENTS[path]}"}
    if "$ref" in said:
        return described | said
    if isinstance(value, dict) and "additionalProperties" not in said:
        return described | _object(value, comments, f"{path}.") | said
    if not comment.text:
        raise ValuesError(f"{path}: has no comment.")
    if isinstance(value, list) and "items" not in said:
        raise ValuesError(f"{path}: its annotation does not say what the items are.")
    return described | {"type": _TYPES[type(value)]} | said


def _of_the_documents(comments: Mapping[str, Comment]) -> dict[str, Any]:
    """Return the definitions of service and hub, with what the chart demands on top."""
    parts = _of_the_service()
    hub = hub_schema()
    for name, part in hub.pop("$defs").items():
        if parts.setdefault(name, part) != part:
            raise ValuesError(f"{_HUB_CONFIG}: {name} of the hub differs from that of the service.")
    parts[_DOCUMENTS[_HUB_CONFIG]] = hub
    plain = {name: _plain(part, parts) for name, part in parts.items()}
    for path, comment in comments.items():
        section, _, key = path.rpartition(".")
        for root, document in _DOCUMENTS.items():
            if f"{section}.".startswith(f"{root}."):
                _demand(plain, document, section.removeprefix(root).split(".")[1:], key, comment)
    return {
        name: part for name, part in plain.items() if f"{_PREFIX}{name}" in str(plain) or name in _DOCUMENTS.values()
    }


def _of_the_service() -> dict[str, Any]:
    """Return the service's definitions without the files of the secrets."""
    document = schema()
    parts: dict[str, Any] = document.pop("$defs")
    tenant = parts["TenantSettings"]
    del tenant["properties"][_SET_BY_THE_CHART]
    tenant["required"].remove(_SET_BY_THE_CHART)
    tenant["properties"]["environment"]["enum"] = ["", *ENVIRONMENTS]
    parts[_DOCUMENTS[_CONFIG]] = document
    return parts


def _demand(parts: dict[str, Any], document: str, section: list[str], key: str, comment: Comment) -> None:
    """Put the annotation of a key of the configuration on top of what the service says."""
    owners = [parts[document]]
    for name in section:
        owners.append(_resolved(parts, _child(owners[-1], name)))
    described = {"description": comment.text} if comment.required else {}
    _child(owners[-1], key).update(described | comment.keywords)
    names = [*section, key]
    for owner, name in zip(owners, names, strict=True):
        if comment.required and name not in owner.setdefault("required", []):
            owner["required"].append(name)


def _child(node: dict[str, Any], name: str) -> dict[str, Any]:
    child: dict[str, Any] = node.get("properties", {}).get(name) or node.get("additionalProperties")
    if not child:
        raise ValuesError(f"{_CONFIG}: the service knows no setting {name}.")
    return child


def _resolved(parts: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = parts[node["$ref"].removeprefix(_PREFIX)] if "$ref" in node else node
    return resolved


def _plain(node: Any, parts: dict[str, Any]) -> Any:
    """Leave out what only repeats names and the service's defaults; one type or null instead of two schemas.

    Helm reports every branch of an `anyOf` where one is meant.
    """
    if isinstance(node, list):
        return [_plain(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if "anyOf" in node:
        node = _nullable(node, parts)
    is_schema = bool({"type", "$ref"} & set(node))
    return {key: _plain(item, parts) for key, item in node.items() if not (is_schema and key in _LEFT_OUT)}


def _nullable(node: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    kinds = [_resolved(parts, one) for one in node["anyOf"]]
    given = [kind for kind in kinds if kind.get("type") != "null"]
    if len(given) != 1 or len(kinds) != 2:  # noqa: PLR2004 - something, or null
        raise ValuesError(f"{_CONFIG}: an anyOf of the service is more than something or null: {node}")
    rest = {key: item for key, item in node.items() if key != "anyOf"}
    return given[0] | rest | {"type": [given[0]["type"], "null"]}
