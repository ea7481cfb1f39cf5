"""Finds out what the emulator does with each field of a request, by sending it with, without and with other values.

Whatever differs between two outcomes comes from the field: in an answer, in the ledger, in what is kept, or in what a
hub was sent.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from playing import Outcome, played
from samples import ABSENT, Script, values_of

Schema = Mapping[str, Any]
FieldPath = tuple[str | int, ...]
Resolve = Callable[[Schema], Schema]
Effect = Literal["used", "shown again", "none"]
SWITCHED: Final[Mapping[str, Mapping[str, Any]]] = {
    "sessions": {"legacy_auth_amount": True},
    "decryption": {"require_card_holder_name": True},
    "payment_methods_v1": {"duplicate_check": True},
}
"""Switches under which a field without an effect is tried again, by operation."""
_WRONG_TYPE: Final[Mapping[str, Any]] = {"array": {}, "object": []}


@dataclass(slots=True)
class Found:
    """What is known of a field."""

    required_for: set[str] = field(default_factory=set)
    refuses: dict[str, None] = field(default_factory=dict)
    effect: Effect = "none"
    switch: str = ""
    """The switch without which it has no effect."""
    cases: set[str] = field(default_factory=set)


def differences(one: Any, other: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield where two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from differences(one.get(name, ABSENT), other.get(name, ABSENT), (*path, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, (*path, index))
    elif one != other:
        yield path


def with_value(body: Any, path: FieldPath, value: Any) -> Any:
    """Return a copy with another value at a path, or without it."""
    changed = copy.deepcopy(body)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    if value is ABSENT:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return changed


async def settled(script: Script) -> Script:
    """Return the script with all of its fields but those without which fewer problems are found.

    Raises:
        AssertionError: It is refused all the same.
    """
    if script.method == "GET":
        return script
    outcome = await played(script, {})
    for name in script.body:
        if outcome.succeeded:
            return script
        less = replace(script, body={key: value for key, value in script.body.items() if key != name})
        without = await played(less, {})
        if without.succeeded or _problems(without) < _problems(outcome):
            script, outcome = less, without
    if not outcome.succeeded:
        raise AssertionError(f"{script.method} {script.path}, {script.case}: {script.body}: {outcome.answers[0]}")
    return script


def _problems(outcome: Outcome) -> int:
    answer = outcome.answers[0]
    return len(answer.get("reasons", answer.get("errors", [answer])))


async def look_at(found: Found, script: Script, path: FieldPath, schema: Schema) -> None:
    """Add what one script shows of one field."""
    found.cases.add(script.case)
    if not (await _with(script, path, ABSENT)).succeeded:
        found.required_for.add(script.case)
    for wording, value in _wrong_values(schema):
        if not (await _with(script, path, value)).succeeded:
            found.refuses[wording] = None
    for switches in ({}, SWITCHED.get(script.operation, {})):
        effect = await _effect(script, path, schema, switches)
        if effect == "used" or (effect == "shown again" and found.effect == "none"):
            if found.effect != effect or not switches:
                found.effect, found.switch = effect, ", ".join(switches)
            return


async def _effect(script: Script, path: FieldPath, schema: Schema, switches: Mapping[str, Any]) -> Effect:
    base = await played(script, switches)
    effect: Effect = "none"
    for value in (ABSENT, *values_of(script.operation, path, schema)):
        other = await _with(script, path, value, switches)
        if value is ABSENT and not other.succeeded and not (switches and (await _with(script, path, ABSENT)).succeeded):
            continue
        places = list(differences(base.answers, other.answers))
        if base.elsewhere != other.elsewhere or any(path[-1] not in place for place in places):
            return "used"
        effect = "shown again" if places else effect
    return effect


async def _with(script: Script, path: FieldPath, value: Any, switches: Mapping[str, Any] | None = None) -> Outcome:
    return await played(replace(script, body=with_value(script.body, path, value)), switches or {})


async def look_at_parameter(
    found: Found, script: Script, place: Literal["headers", "query"], parameter: Mapping[str, Any]
) -> None:
    """Add whether a header or a parameter of the query changes anything."""
    name, base = parameter["name"], await played(script, {})

    async def given(value: Any) -> Outcome:
        if place == "query":
            return await played(replace(script, query={**script.query, name: value}), {})
        return await played(replace(script, headers={**script.headers, name: value}), {})

    for value in values_of(script.operation, (name,), parameter["schema"]):
        other = await given(value)
        if (base.answers, base.elsewhere) != (other.answers, other.elsewhere):
            found.effect = "used"
    if not (await given("?")).succeeded:
        found.refuses["malformed values"] = None


async def refuses_unknown(script: Script) -> bool:
    """Find out whether a field that no schema has is refused."""
    return not (await _with(script, ("anyOther",), "value")).succeeded


def _wrong_values(schema: Schema) -> Iterator[tuple[str, Any]]:
    yield "another JSON type", _WRONG_TYPE.get(str(schema.get("type")), [])
    if "maxLength" in schema:
        yield f"more than {schema['maxLength']} characters", "1" * (schema["maxLength"] + 1)
    if "enum" in schema:
        yield f"all but {', '.join(f'`{value}`' for value in schema['enum'])}", "no such value"
    elif schema.get("type") == "string" and "maxLength" not in schema:
        yield "empty text", ""
        yield "unknown values", "no such value"


def body_of(schema: Schema, operation: str, resolve: Resolve, path: FieldPath = ()) -> Any:
    """Return a value that has every field of a schema."""
    schema = resolve(schema)
    chosen = values_of(operation, path, schema)
    if chosen:
        return chosen[0]
    if schema.get("type") == "array":
        return [body_of(schema["items"], operation, resolve, (*path, 0))]
    return {name: body_of(inner, operation, resolve, (*path, name)) for name, inner in schema["properties"].items()}


def fields_of(schema: Schema, resolve: Resolve, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Schema]]:
    """Yield the fields of a schema, each object before the fields in it."""
    schema = resolve(schema)
    for name, each in schema.get("properties", {}).items():
        inner = resolve(each)
        yield (*path, name), inner
        if inner.get("properties"):
            yield from fields_of(inner, resolve, (*path, name))
        elif inner.get("type") == "array":
            yield from fields_of(inner["items"], resolve, (*path, name, 0))


def shown_path(path: Sequence[str | int]) -> str:
    """Return the path as people write it."""
    return ".".join("" if step == 0 else str(step) for step in path).replace("..", "[].")
