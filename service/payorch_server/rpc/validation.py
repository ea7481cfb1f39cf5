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

_MONEY: Final = "google.type.Money"
# Each violation costs some 20 us of the event loop, so what is looked at is bounded. No request that keeps the rules
# has more elements in its lists and maps, and a smaller one cannot have many.
_MAX_ELEMENTS: Final = 1500
_SMALL_BYTES: Final = 8192
_MAX_UNKNOWN_FIELDS: Final = 100
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
            yield Violation(path, proto.rule_id, proto.message)


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
