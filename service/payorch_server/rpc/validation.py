"""Validates requests beyond their type: all violations at once, each with the path of its field."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from payorch_server.model.errors import Violation, invalid
from payorch_server.model.money import problem_with_amount

_PATTERN: Final = "string.pattern"
_MONEY: Final = "google.type.Money"
# Each violation costs some 20 us of the event loop, so what is looked at is bounded. No request that keeps the rules
# has more elements in its lists and maps, and a smaller one cannot have many.
_MAX_ELEMENTS: Final = 1500
_SMALL_BYTES: Final = 8192
_MAX_UNKNOWN_FIELDS: Final = 100
_VISIBLE: Final = "[^\\x00-\\x20\\x7f-\\xa0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
_FIELD_NAME: Final = "must be the name of a field in Zuora: 1 to 64 lower-case letters and underscores"

PATTERN_TEXTS: Final[Mapping[str, str]] = {
    f"^({_VISIBLE}(.*{_VISIBLE})?)?$": (
        "must not begin or end with a blank or an invisible character, nor contain a line break; remove it"
    ),
    "^-?[0-9]{1,30}([.][0-9]{1,30})?$": (
        "must be a number in decimal digits, such as -12.50, with at most 30 digits before the point and 30 after it"
    ),
    "^[0-9]{12,19}$": "must be 12 to 19 digits; remove blanks and hyphens",
    "^([0-9]{3,4})?$": "must be 3 or 4 digits",
    "^[A-Z][A-Za-z0-9]{0,18}__c_[0-9]{1,20}$": (
        "must be the internal name of a custom type in Zuora with the number of the tenant, such as AmazonPay__c_12368"
    ),
    "^[a-z_]{1,64}$": _FIELD_NAME,
    "^[a-z_.]{1,64}$": f"{_FIELD_NAME}, with points between the names of nested ones",
    "^[A-Za-z][A-Za-z0-9_]{0,254}$": (
        "must be the name of a custom field: a letter, then at most 254 letters, digits and underscores"
    ),
    "^([0-9]{6}|[0-9]{8})?$": "must be the first 6 or 8 digits of the number",
    "^([A-Z]{3})?$": "must be a currency code of three capital letters, such as EUR",
    "^[0-9]{9}$": "must be 9 digits",
    "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$": (
        "must be an IBAN: two capital letters, two digits, then 11 to 30 capital letters and digits; remove blanks"
    ),
    "^([A-Z0-9]{8}([A-Z0-9]{3})?)?$": "must be a BIC of 8 or 11 capital letters and digits",
    "^([A-Z]{2})?$": "must be a country code of two capital letters, such as DE",
}
"""What the patterns in the protos require, in words: callers are not shown a regular expression. By pattern."""
_OTHER_PATTERN: Final = "does not have the form that its description requires"
Check = Callable[[Any], Iterable[Violation]]


def _no_violations(_request: Message) -> Iterable[Violation]:
    return ()


class Validator:
    """Checks requests against the rules in the protos and those that no proto can express."""

    def __init__(self, further: Mapping[str, Check] | None = None) -> None:
        """Make a validator.

        Args:
            further: Checks of decoding, by full name of the request type.
        """
        self._rules = protovalidate.Validator()
        self._further = further or {}

    def warm(self, requests: Iterable[Message]) -> None:
        """Compile the rules of these requests' types, which would otherwise delay the first call of each."""
        for request in requests:
            self._rules.collect_violations(request)

    def check(self, request: Message) -> None:
        """Refuse a request that breaks rules.

        Raises:
            InvalidRequestError: With every violation; with one alone where the request has far too many elements, and
                with the first of very many unknown fields.
        """
        if request.ByteSize() > _SMALL_BYTES and (path := _path_of_too_many(request)):
            raise invalid(Violation(path, "elements.max", f"must not have more than {_MAX_ELEMENTS} elements"))
        violations = [
            *_unknown_field_violations(request),
            *self._rule_violations(request),
            *_amount_violations(request),
        ]
        if violations:
            # A request without violations so far is checked by decoding; here the checks complete the list.
            violations += self._further.get(request.DESCRIPTOR.full_name, _no_violations)(request)
            raise invalid(
                *sorted(set(violations), key=lambda violation: (violation.field, violation.rule, violation.description))
            )

    def _rule_violations(self, request: Message) -> Iterator[Violation]:
        for found in self._rules.collect_violations(request):
            proto = found.proto
            path = "".join(_element(element) for element in (proto.field.elements if proto.field else ())).removeprefix(
                "."
            )
            is_pattern = proto.rule_id == _PATTERN
            text = PATTERN_TEXTS.get(found.rule_value, _OTHER_PATTERN) if is_pattern else proto.message
            yield Violation(path, proto.rule_id, text)


def _element(element: object) -> str:
    name, subscript = element.field_name, element.subscript  # type: ignore[attr-defined] # protovalidate ships no types for it
    if subscript is None:
        return f".{name}"
    return f".{name}[{subscript.value}]" if subscript.field == "index" else f'.{name}["{subscript.value}"]'


def _path_of_too_many(message: Message) -> str:
    """Return the first field that, with those before it, has more elements than are looked at; empty if none has."""
    elements = 0
    remaining: deque[tuple[str, Message]] = deque([("", message)])
    while remaining:
        prefix, parent = remaining.popleft()
        for field, value in parent.ListFields():
            elements += len(value) if field.is_repeated else 0
            if elements > _MAX_ELEMENTS:
                return f"{prefix}{field.name}"
            remaining.extend((f"{prefix}{field.name}{suffix}.", child) for suffix, child in _children(field, value))
    return ""


def _unknown_field_violations(request: Message) -> list[Violation]:
    """Find fields that this version does not know; a message without any costs one copy in C."""
    known = type(request)()
    known.CopyFrom(request)
    known.DiscardUnknownFields()
    if known.ByteSize() == request.ByteSize():
        return []
    return list(islice(_walk_unknown(request, ""), _MAX_UNKNOWN_FIELDS))


def _walk_unknown(message: Message, path: str) -> Iterator[Violation]:
    description = "is not known to this version of the service; omit it, or upgrade the service"
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        yield Violation(f"{path}{unknown[index].field_number}", "field.known", description)
    for field, value in message.ListFields():
        for suffix, child in _children(field, value):
            yield from _walk_unknown(child, f"{path}{field.name}{suffix}.")


def _children(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Message]]:
    if field.message_type is None:
        return
    if field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].message_type:
            yield from ((f'["{key}"]', child) for key, child in value.items())
    elif field.is_repeated:
        yield from ((f"[{index}]", child) for index, child in enumerate(value))
    else:
        yield "", value


@cache
def _amount_paths(descriptor: Descriptor) -> tuple[tuple[str, ...], ...]:
    """Return the paths to every google.type.Money below a type; no repeated field leads to one."""
    paths: list[tuple[str, ...]] = []
    for field in descriptor.fields:
        if field.message_type is None or field.is_repeated:
            continue
        if field.message_type.full_name == _MONEY:
            paths.append((field.name,))
        else:
            paths += ((field.name, *rest) for rest in _amount_paths(field.message_type))
    return tuple(paths)


def _amount_violations(request: Message) -> Iterator[Violation]:
    for path in _amount_paths(request.DESCRIPTOR):
        money = _value_at(request, path)
        if money is None:
            continue
        problem = problem_with_amount(currency=money.currency_code, units=money.units, nanos=money.nanos)
        if problem:
            yield Violation(".".join((*path, problem.member)), problem.rule, problem.description)


def _value_at(message: Any, path: tuple[str, ...]) -> Any | None:
    for name in path:
        if not message.HasField(name):
            return None
        message = getattr(message, name)
    return message
