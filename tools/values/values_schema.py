"""values.schema.json: the values file's own keys, and below `config` what the service says of its configuration."""

from collections.abc import Mapping
from typing import Any, Final

from kubernetes_parts import DEFINITIONS
from payorch_server.config import schema
from payorch_server.zuora.settings import ENVIRONMENTS
from values_file import NONE, Comment, ValuesError

_CONFIG: Final = "config"
_SET_BY_THE_CHART: Final = "client_secret_file"
_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_PREFIX: Final = "#/$defs/"


def values_schema(values: Mapping[str, Any], comments: Mapping[str, Comment]) -> dict[str, Any]:
    """Return what values.schema.json must be."""
    service = _of_the_service(comments)
    closed = _object(values, comments, "")
    closed["properties"][_CONFIG] = {
        "description": comments[_CONFIG].text,
        "$ref": f"{_PREFIX}Document",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the payorch chart",
        **closed,
        "$defs": dict(sorted((DEFINITIONS | service).items())),
    }


def _object(values: Mapping[str, Any], comments: Mapping[str, Comment], path: str) -> dict[str, Any]:
    """Return the closed schema of a section; every key of it is there, by default if not by the user."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(values),
        "properties": {
            key: _node(value, comments, f"{path}{key}") for key, value in values.items() if f"{path}{key}" != _CONFIG
        },
    }


def _node(value: Any, comments: Mapping[str, Comment], path: str) -> dict[str, Any]:
    comment = comments.get(path, NONE)
    said = dict(comment.keywords)
    described = {"description": comment.text} if comment.text else {}
    if "$ref" in said:
        return described | said
    if isinstance(value, dict) and "additionalProperties" not in said:
        return described | _object(value, comments, f"{path}.") | said
    if not comment.text:
        raise ValuesError(f"{path}: has no comment.")
    if isinstance(value, list) and "items" not in said:
        raise ValuesError(f"{path}: its annotation does not say what the items are.")
    return described | {"type": _TYPES[type(value)]} | said


def _of_the_service(comments: Mapping[str, Comment]) -> dict[str, Any]:
    """Return the service's definitions without the files of the secrets, with what the chart demands on top."""
    document = schema()
    parts: dict[str, Any] = document.pop("$defs")
    tenant = parts["TenantSettings"]
    del tenant["properties"][_SET_BY_THE_CHART]
    tenant["required"].remove(_SET_BY_THE_CHART)
    tenant["properties"]["environment"]["enum"] = ["", *ENVIRONMENTS]
    parts["Document"] = document
    plain = {name: _plain(part, parts) for name, part in parts.items()}
    for path, comment in comments.items():
        section, _, key = path.rpartition(".")
        if section.split(".")[0] == _CONFIG:
            _demand(plain, section.split(".")[1:], key, comment)
    return {name: part for name, part in plain.items() if f"{_PREFIX}{name}" in str(plain) or name == "Document"}


def _demand(parts: dict[str, Any], section: list[str], key: str, comment: Comment) -> None:
    """Put the annotation of a key of the configuration on top of what the service says."""
    owners = [parts["Document"]]
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
    return {key: _plain(item, parts) for key, item in node.items() if not (is_schema and key in {"title", "default"})}


def _nullable(node: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    kinds = [_resolved(parts, one) for one in node["anyOf"]]
    given = [kind for kind in kinds if kind.get("type") != "null"]
    if len(given) != 1 or len(kinds) != 2:  # noqa: PLR2004 - something, or null
        raise ValuesError(f"{_CONFIG}: an anyOf of the service is more than something or null: {node}")
    rest = {key: item for key, item in node.items() if key != "anyOf"}
    return given[0] | rest | {"type": [given[0]["type"], "null"]}
