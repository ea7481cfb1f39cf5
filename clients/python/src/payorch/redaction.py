"""Messages as text that may be shown: what the contract marks as sensitive is replaced.

The redactor is driven by the descriptors alone, so a field is covered from the moment it is marked. It is the one way
in which a message is rendered; protobuf's own printers show everything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from json import dumps
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from payorch.v1 import sensitivity_pb2

REDACTED: Final = "[redacted]"
_ANY: Final = AnyMessage.DESCRIPTOR.full_name


class _Shape(Enum):
    """How a field's values are laid out."""

    ONE = "one"
    LIST = "list"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class _Field:
    """What is known of a field once and for all."""

    sensitive: bool
    shape: _Shape
    enum: EnumDescriptor | None
    """Of the field, or of a map's values."""


def redacted(message: Message) -> str:
    """Return the message as text without anything sensitive.

    One line for each value that is set, as `path: value`, in the order of field numbers. Of a sensitive field the line
    says only that it is set; of a sensitive map not even how many entries it has. Bytes are measured, and fields that
    this version does not know are counted, because they could hold anything.

    Args:
        message: Any message; one inside a google.protobuf.Any is rendered by its own type.
    """
    return "\n".join(_lines(message, ""))


@cache
def _fields(descriptor: Descriptor) -> Mapping[str, _Field]:
    return {field.name: _Field(_is_sensitive(field), _shape(field), _enum(field)) for field in descriptor.fields}


def _is_sensitive(field: FieldDescriptor) -> bool:
    options = field.GetOptions()
    marked = options.Extensions[sensitivity_pb2.sensitivity] != sensitivity_pb2.SENSITIVITY_UNSPECIFIED
    return bool(marked or options.debug_redact)


def _shape(field: FieldDescriptor) -> _Shape:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _Shape.MAP
    return _Shape.LIST if _is_repeated(field) else _Shape.ONE


def _is_repeated(field: FieldDescriptor) -> bool:
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)  # type: ignore[attr-defined] # of older versions of protobuf


def _enum(field: FieldDescriptor) -> EnumDescriptor | None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return field.message_type.fields_by_name["value"].enum_type
    return field.enum_type


def _lines(message: Any, path: str) -> Iterator[str]:
    if message.DESCRIPTOR.full_name == _ANY:
        yield from _inside(message, path)
        return
    fields = _fields(message.DESCRIPTOR)
    empty = True
    for descriptor, value in message.ListFields():
        empty = False
        field, below = fields[descriptor.name], f"{path}.{descriptor.name}" if path else descriptor.name
        if field.sensitive:
            yield f"{below}: {REDACTED}"
        else:
            for where, item in _each(field, value, below):
                yield from _lines(item, where) if isinstance(item, Message) else (f"{where}: {_scalar(item, field)}",)
    unknown = len(UnknownFieldSet(message))
    if unknown:
        yield f"{path or '.'}: {unknown} unknown fields"
    elif empty:
        yield f"{path or '.'}: set, without a value"


def _each(field: _Field, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if field.shape is _Shape.MAP:
        for key in sorted(value):
            yield f"{path}[{dumps(key)}]", value[key]
    elif field.shape is _Shape.LIST:
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    else:
        yield path, value


def _scalar(value: Any, field: _Field) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if field.enum is not None:
        named = field.enum.values_by_number.get(value)
        return named.name if named else str(value)
    # As JSON, so that no value breaks the line or looks like another one.
    return dumps(value)


def _inside(packed: AnyMessage, path: str) -> Iterator[str]:
    """Render what an Any holds; what cannot be read is measured."""
    try:
        kind = descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
        message = message_factory.GetMessageClass(kind).FromString(packed.value)
    except (KeyError, DecodeError):
        yield f"{path or '.'}: <{len(packed.value)} bytes of a type that is not known>"
    else:
        yield from _lines(message, f"{path}({kind.full_name})")
