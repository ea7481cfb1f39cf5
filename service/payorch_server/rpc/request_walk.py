"""The one pass over a request: it checks the rules in the protos, and collects what distinguishes it from others.

A pass is compiled once for each type. It finds whether a rule is broken, not which one: `violations` words that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from itertools import count
from operator import or_
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.unknown_fields import UnknownFieldSet
from payorch.v1 import sensitivity_pb2

from payorch_server.model.money import problem_with_amount
from payorch_server.rpc.value_rules import FieldRules, Predicate, always, is_required, require_no_rules, rules_of

Leaf = tuple[str, bytes, Any, bool]
"""Path by names, path by numbers, value (of a list, the leaves of its elements), whether it is sensitive."""
Walk = Callable[[Any, list[Leaf]], bool]
"""Appends the leaves of a value, all of them whatever breaks a rule; returns whether it keeps all rules."""

_MONEY: Final = "google.type.Money"
_EXCLUDED: Final = frozenset({"request_id", "validate_only", "security_code"})
"""Fields without a leaf: the first two do not change the request, and nothing may be made of the third."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is in a request."""

    path: str
    numbers: bytes
    hidden: bool


@cache
def walk_of(descriptor: Descriptor) -> Walk:
    """Return the compiled pass over messages of a type.

    Raises:
        RuleNotCompiledError: A rule in its proto has no compiled form.
    """
    return _message(descriptor, _Place("", b"", hidden=False))


def framed(value: bytes) -> bytes:
    """Return a value with its length, so that values in a row cannot be confused."""
    return len(value).to_bytes(4, "big") + value


def _message(descriptor: Descriptor, place: _Place) -> Walk:
    require_no_rules(descriptor)
    # An empty message counts by its presence: it may be the arm of a oneof.
    own = (place.path or ".", place.numbers, b"", place.hidden)
    fields, needed = _fields(descriptor, place)
    is_amount = _is_amount if descriptor.full_name == _MONEY else always

    def walk(message: Any, leaves: list[Leaf]) -> bool:
        leaves.append(own)
        seen, keeps = 0, True
        for field, value in message.ListFields():
            need, look = fields[field]
            seen |= need
            keeps &= look(value, leaves)
        return keeps and seen == needed and not len(UnknownFieldSet(message)) and is_amount(message)

    return walk


def _fields(descriptor: Descriptor, place: _Place) -> tuple[dict[FieldDescriptor, tuple[int, Walk]], int]:
    """Return for each field which needs it meets, bits of a number, and the pass over it; and the bits of all needs."""
    bits = (1 << position for position in count())
    needs: dict[str, int] = {}
    for oneof in descriptor.oneofs:
        if is_required(oneof):
            needs |= dict.fromkeys((member.name for member in oneof.fields), next(bits))
    fields = {}
    for field in descriptor.fields:
        rules = rules_of(field)
        absent = () if field.is_repeated else field.default_value
        if rules.required or not (field.has_presence or rules.holds(absent)):
            needs[field.name] = needs.get(field.name, 0) | next(bits)
        fields[field] = (needs.get(field.name, 0), _walk_of_field(field, rules, place))
    return fields, reduce(or_, needs.values(), 0)


def _walk_of_field(field: FieldDescriptor, rules: FieldRules, parent: _Place) -> Walk:
    marked = field.GetOptions().Extensions[sensitivity_pb2.sensitivity] != sensitivity_pb2.SENSITIVITY_UNSPECIFIED
    path = f"{parent.path}.{field.name}" if parent.path else field.name
    place = _Place(path, parent.numbers + b"%d" % field.number, parent.hidden or marked)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field.message_type.fields_by_name["value"], rules, place)
    of_value = _value(field, rules.element_holds if field.is_repeated else rules.holds, place)
    if field.is_repeated:
        return _list(of_value, rules, place)
    return of_value


def _value(field: FieldDescriptor, holds: Predicate, place: _Place) -> Walk:
    """Return the pass over one value of a field."""
    path, numbers, hidden = place.path, place.numbers, place.hidden
    if field.name in _EXCLUDED:
        return lambda value, _leaves: holds(value)
    if field.message_type is not None:
        of_message = _message(field.message_type, _Place(path, numbers + b".", hidden))
        return of_message if holds is always else lambda value, leaves: of_message(value, leaves) & holds(value)

    def walk(value: Any, leaves: list[Leaf]) -> bool:
        leaves.append((path, numbers, value, hidden))
        return holds(value)

    return walk


def _list(of_element: Walk, rules: FieldRules, place: _Place) -> Walk:
    path, numbers, hidden, holds = place.path, place.numbers, place.hidden, rules.holds

    def walk(elements: Any, leaves: list[Leaf]) -> bool:
        inner: list[Leaf] = []
        keeps = holds(elements)
        for element in elements:
            keeps &= of_element(element, inner)
        # One leaf for all: a thousand invoices must not make the record too large for a store.
        leaves.append((path, numbers, inner, hidden))
        return keeps

    return walk


def _map(field: FieldDescriptor, rules: FieldRules, place: _Place) -> Walk:
    """Return the pass over a map, whose paths depend on its keys.

    Args:
        field: The value of an entry.
        rules: Of the map.
        place: Of the map.
    """
    path, numbers, holds, key_holds = place.path, place.numbers, rules.holds, rules.key_holds
    of_value = _value(field, rules.element_holds, _Place("", b"", place.hidden))

    def walk(entries: Any, leaves: list[Leaf]) -> bool:
        keeps = holds(entries)
        for key in sorted(entries):
            inner: list[Leaf] = []
            keeps &= key_holds(key) & of_value(entries[key], inner)
            entry, digits = f'{path}["{key}"]', numbers + framed(key.encode())
            leaves += (
                (entry + _below(of), digits + numbers_of, value, hidden) for of, numbers_of, value, hidden in inner
            )
        return keeps

    return walk


def _below(path: str) -> str:
    """Return what a path adds to that of the value it begins at."""
    return "" if path in {"", "."} else f".{path}"


def _is_amount(money: Any) -> bool:
    return problem_with_amount(currency=money.currency_code, units=money.units, nanos=money.nanos) is None
