"""Compiles the rules of buf.validate for one field into predicates.

The generated code carries these options as bytes, so they are read by their numbers in buf/validate/validate.proto.
A rule without a compiled form is an error, and never skipped.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import index
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor, OneofDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

Predicate = Callable[[Any], bool]
Options = Mapping[int, Sequence[Any]]
"""The values of each option by number: integers, and bytes for texts and messages."""

_OPTION: Final = 1159
# Of FieldRules.
_INT32, _STRING, _BYTES, _ENUM, _REPEATED, _MAP, _CEL, _REQUIRED = 3, 14, 15, 16, 18, 19, 23, 25
# Of the rules of lists and maps: the FieldRules of what is in them.
_ITEMS, _KEYS, _VALUES = 4, 4, 5
_LTE, _GTE = 3, 5
_INT32_MAX: Final = 2**31 - 1
_EXPRESSION: Final = 3

# What RE2 and Python's re read alike: a pattern of the whole text, of plain characters, classes and groups.
_CHARACTER: Final = r"(?:\[\^?(?:\\x[0-9a-f]{2}|[^\\\[\]&])+\]|[^\\\[\]()|^$])"
_INNER_GROUP: Final = rf"\((?!\?)(?:{_CHARACTER}|\|)*\)"
_GROUP: Final = rf"\((?!\?)(?:{_CHARACTER}|\||{_INNER_GROUP})*\)"
_PATTERN: Final = re.compile(rf"\^((?:{_CHARACTER}|{_GROUP})*)\$", re.DOTALL)
_MATCHES: Final = re.compile(r"this\.matches\('([^'\\]*)'\)")
_POSITIVE: Final = "this.units > 0 || (this.units == 0 && this.nanos > 0)"


class RuleNotCompiledError(Exception):
    """A proto has a rule without a compiled form."""


def always(_value: object) -> bool:
    """Return that a value keeps the rules: there are none."""
    return True


@dataclass(frozen=True, slots=True)
class FieldRules:
    """The rules of one field."""

    required: bool = False
    """Whether it must be set."""
    holds: Predicate = always
    """Whether its value keeps the rules; of a list or map, the value as a whole."""
    key_holds: Predicate = always
    """Whether a key of a map does."""
    element_holds: Predicate = always
    """Whether an element of a list, or a value of a map, does."""


def rules_of(described: FieldDescriptor) -> FieldRules:
    """Return the compiled rules of a field.

    Raises:
        RuleNotCompiledError: A rule has no compiled form.
    """
    options = _options_of(described)
    required = any(options.pop(_REQUIRED, ()))
    is_map = described.message_type is not None and described.message_type.GetOptions().map_entry
    kind = _MAP if is_map else _REPEATED
    whole = _message(options.pop(kind, ()))
    keys = _message(whole.pop(_KEYS, ())) if is_map else {}
    elements = _message(whole.pop(_VALUES if is_map else _ITEMS, ()))
    return FieldRules(
        required=required,
        holds=_both(_made(kind, whole, described), _holds(options, described)),
        key_holds=_holds(keys, described),
        element_holds=_holds(elements, described),
    )


def is_required(oneof: OneofDescriptor) -> bool:
    """Return whether a member of a oneof must be set.

    Raises:
        RuleNotCompiledError: It has any other rule.
    """
    options = _options_of(oneof)
    if options.keys() - {1}:
        raise RuleNotCompiledError(f"{oneof.full_name}: {sorted(options)}")
    return any(options.get(1, ()))


def require_no_rules(described: Any) -> None:
    """Refuse a message type that has rules of its own.

    Raises:
        RuleNotCompiledError: It has.
    """
    if options := _options_of(described):
        raise RuleNotCompiledError(f"{described.full_name}: {sorted(options)}")


def _holds(options: Options, described: FieldDescriptor) -> Predicate:
    """Return the predicate of the FieldRules of a value."""
    return _all(
        _all(_expression(_message([rule])[_EXPRESSION][0].decode(), described) for rule in values)
        if kind == _CEL
        else _made(kind, _message(values) if kind in _MAKERS else {}, described)
        for kind, values in options.items()
    )


def _made(kind: int, options: Options, described: FieldDescriptor) -> Predicate:
    """Return the predicate of the rules of one kind."""
    makers = _MAKERS.get(kind, {})
    unknown = sorted(options.keys() - makers.keys()) if kind in _MAKERS else [kind]
    # With its limits the wrong way round, a range is everything outside of it; a negative one looks very large here.
    limits = [options[number][0] for number in (_GTE, _LTE) if kind == _INT32 and number in options]
    if unknown or limits != sorted(limits) or max(limits, default=0) > _INT32_MAX:
        raise RuleNotCompiledError(f"{described.full_name}: {kind} with {unknown or dict(options)}")
    return _all(makers[number](values, described) for number, values in options.items())


def _expression(text: str, described: FieldDescriptor) -> Predicate:
    """Return the predicate of an expression in CEL."""
    if matches := _MATCHES.fullmatch(text):
        return _pattern(matches[1], described)
    if text == _POSITIVE:
        return lambda money: money.units > 0 or (money.units == 0 and money.nanos > 0)
    raise RuleNotCompiledError(f"{described.full_name}: {text}")


def _pattern(pattern: str, described: FieldDescriptor) -> Predicate:
    common = _PATTERN.fullmatch(pattern)
    if common is None:
        raise RuleNotCompiledError(f"{described.full_name}: {pattern}")
    fullmatch = re.compile(common[1]).fullmatch
    return lambda text: fullmatch(text) is not None


def _least(values: Sequence[int], _described: FieldDescriptor) -> Predicate:
    (least,) = values
    return lambda value: len(value) >= least


def _most(values: Sequence[int], _described: FieldDescriptor) -> Predicate:
    (most,) = values
    return lambda value: len(value) <= most


def _unique(values: Sequence[int], _described: FieldDescriptor) -> Predicate:
    return (lambda items: len(set(items)) == len(items)) if values[-1] else always


def _defined(values: Sequence[int], described: FieldDescriptor) -> Predicate:
    numbers = frozenset(described.enum_type.values_by_number) if described.enum_type else frozenset()
    return numbers.__contains__ if values[-1] else always


def _none_of(values: frozenset[int]) -> Predicate:
    return lambda value: value not in values


_LENGTH: Final = {2: _least, 3: _most}
_MAKERS: Final[Mapping[int, Mapping[int, Callable[[Sequence[Any], FieldDescriptor], Predicate]]]] = {
    _INT32: {
        _LTE: lambda values, _: int(values[0]).__ge__,
        _GTE: lambda values, _: int(values[0]).__le__,
    },
    _STRING: _LENGTH
    | {
        6: lambda values, described: _pattern(values[0].decode(), described),
        10: lambda values, _: frozenset(value.decode() for value in values).__contains__,
    },
    _BYTES: _LENGTH,
    _ENUM: {
        2: _defined,
        4: lambda values, _: _none_of(frozenset(map(index, values))),
    },
    _REPEATED: {2: _most, 3: _unique},
    _MAP: {1: _least, 2: _most},
}
"""What makes the predicate of a rule, by its kind and number."""


def _all(predicates: Iterable[Predicate]) -> Predicate:
    none: Predicate = always
    return reduce(_both, predicates, none)


def _both(first: Predicate, second: Predicate) -> Predicate:
    if first is always or second is always:
        return second if first is always else first
    return lambda value: first(value) and second(value)


def _options_of(described: Any) -> dict[int, list[Any]]:
    """Return the rules in the options of a field, a oneof or a message."""
    options = _message([described.GetOptions().SerializeToString()])
    return _message(options[_OPTION]) if _OPTION in options else {}


def _message(parts: Sequence[bytes]) -> dict[int, list[Any]]:
    """Return what an encoded message holds; one that comes in parts is merged."""
    if not parts:
        return {}
    unknown = UnknownFieldSet(Empty.FromString(b"".join(parts)))
    values = defaultdict[int, list[Any]](list)
    for position in range(len(unknown)):
        values[unknown[position].field_number].append(unknown[position].data)
    return dict(values)
