"""Checking a Quickstart body against its schema, every problem at once, and showing it again without its secrets."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from zuora_emulator.errors import Reason
from zuora_emulator.payment_method_schema import Field, Kind


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


_CHECKS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "invalid_parameter_string"),
    "nullable string": (lambda value: value is None or isinstance(value, str), "invalid_parameter_string"),
    "number": (_is_number, "invalid_parameter_number"),
    "integer": (lambda value: isinstance(value, int) and not isinstance(value, bool), "invalid_parameter_integer"),
    "boolean": (lambda value: isinstance(value, bool), "invalid_parameter_boolean"),
    "object": (lambda value: isinstance(value, Mapping), "invalid_parameter"),
    "any map": (lambda value: isinstance(value, Mapping), "invalid_parameter"),
    "string map": (
        lambda value: isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values()),
        "invalid_parameter_string",
    ),
}


def problems_of(body: Mapping[str, Any], schema: Mapping[str, Field], *, path: str = "") -> list[Reason]:
    """Return what is wrong with an object: unknown, missing and ill-typed fields, also inside."""
    problems = [_problem("unknown_parameter", path + name) for name in body if name not in schema]
    for name, field in schema.items():
        if name in body:
            problems += _value_problems(body[name], field, path + name)
        elif field.required:
            problems.append(_problem("missing_parameter", path + name))
    return problems


def _value_problems(value: Any, field: Field, path: str) -> list[Reason]:
    accepts, code = _CHECKS[field.kind]
    if not accepts(value):
        return [_problem(code, path)]
    if field.required and value == "":
        return [_problem("missing_parameter", path)]
    if field.allowed and value not in field.allowed:
        return [_problem("invalid_parameter", path)]
    if field.kind == "object":
        return problems_of(value, field.fields, path=f"{path}.")
    return []


_MESSAGES = {
    "unknown_parameter": "The parameter is unknown.",
    "missing_parameter": "The parameter is required.",
    "invalid_parameter": "The value of the parameter is not allowed.",
    "invalid_parameter_string": "The parameter must be a string.",
    "invalid_parameter_number": "The parameter must be a number.",
    "invalid_parameter_integer": "The parameter must be an integer.",
    "invalid_parameter_boolean": "The parameter must be a boolean.",
}


def _problem(code: str, path: str) -> Reason:
    return Reason(category=20, message=_MESSAGES[code], parameter=path, quickstart_code=code)


def shown(body: Mapping[str, Any], schema: Mapping[str, Field]) -> dict[str, Any]:
    """Return a checked object as an answer shows it: without secret fields, with masked ones cut."""
    return {
        name: _shown_value(value, schema[name])
        for name, value in body.items()
        if name in schema and not schema[name].secret
    }


_SHOWN_CHARACTERS = 4


def _shown_value(value: Any, field: Field) -> Any:
    if field.kind == "object":
        return shown(value, field.fields)
    return f"****{value[-_SHOWN_CHARACTERS:]}" if field.masked and isinstance(value, str) else value
