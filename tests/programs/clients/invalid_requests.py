"""Requests in which everything that can be wrong is wrong, made from the descriptors of their types."""

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

# Longer than any text may be, apart from the values of gateway options; all of it has to fit into one request.
_TEXT: Final = "\u00e9" * 256
_VALUE: Final = "\u00e9" * 129
_TOKEN: Final = b"\xff" * 16_385
_PAIRS: Final = 101
_ITEMS: Final = 21
# A name that no pattern allows, and longer than any rule takes.
_KEY: Final = "{:03d}" + "k" * 253
# Field 100 as a varint; no message of ours has it.
_UNKNOWN: Final = b"\xa0\x06\x01"


def invalidate(message: Any) -> None:
    """Set every field to a wrong value, and give each message an unknown field.

    Of a oneof, the arm with most below it is set.
    """
    for field in _fields(message.DESCRIPTOR):
        if field.message_type and field.message_type.GetOptions().map_entry:
            _invalidate_map(getattr(message, field.name), field.message_type.fields_by_name["value"])
        elif field.is_repeated:
            _invalidate_items(getattr(message, field.name), field)
        elif field.message_type:
            invalidate(getattr(message, field.name))
        else:
            setattr(message, field.name, _wrong(field))
    message.MergeFromString(_UNKNOWN)


def long_key(number: int) -> str:
    """Return a wrong name of a pair, different for each number."""
    return _KEY.format(number)


def _fields(descriptor: Descriptor) -> Iterator[FieldDescriptor]:
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if oneof is None or field is max(oneof.fields, key=_weight):
            yield field


def _weight(field: FieldDescriptor) -> int:
    """Count a field and what can be set below it."""
    below = 0 if field.message_type is None else sum(map(_weight, _fields(field.message_type)))
    return 1 + below


def _invalidate_map(pairs: Any, value: FieldDescriptor) -> None:
    for number in range(_PAIRS):
        if value.message_type:
            invalidate(pairs[long_key(number)])
        else:
            pairs[long_key(number)] = _VALUE


def _invalidate_items(items: Any, field: FieldDescriptor) -> None:
    for _ in range(_ITEMS):
        if field.message_type:
            invalidate(items.add())
        else:
            items.append(_wrong(field))


def _wrong(field: FieldDescriptor) -> Any:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return _TEXT
        case FieldDescriptor.TYPE_BYTES:
            return _TOKEN
        case FieldDescriptor.TYPE_BOOL:
            return True
        case _:
            return -1
