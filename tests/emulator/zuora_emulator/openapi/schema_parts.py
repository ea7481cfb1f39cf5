"""Small builders of JSON Schema."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FILLED: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
TIME: Schema = {"type": "string", "format": "date-time"}
DATE: Schema = {"type": "string", "format": "date"}
AMOUNT_AS_TEXT: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
AMOUNT: Schema = {"anyOf": [NUMBER, {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,3})?$"}]}
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
ANYTHING: Schema = {"type": "object"}


def closed(properties: Mapping[str, Schema], *, optional: Iterable[str] = ()) -> Schema:
    """Return the schema of an object that has these members, all but the optional ones, and no other."""
    left_out = set(optional)
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }


def opened(properties: Mapping[str, Schema], *, required: Iterable[str] = ()) -> Schema:
    """Return the schema of an object whose other members are ignored."""
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def nullable(schema: Schema) -> Schema:
    """Return the schema of the same value or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def items(schema: Schema, **limits: int) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": schema, **limits}


def one_of(values: Sequence[str]) -> Schema:
    """Return the schema of a text out of a list."""
    return {"type": "string", "enum": list(values)}


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}
