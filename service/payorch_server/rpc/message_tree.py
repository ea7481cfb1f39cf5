"""The messages inside a message, each with its path."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message


def messages_in(message: Message, path: str = "") -> Iterator[tuple[str, Message]]:
    """Yield a message and all below it, each with its path: empty, or with a point at its end."""
    yield path, message
    for field, value in message.ListFields():
        for suffix, child in _children(field, value):
            yield from messages_in(child, f"{path}{field.name}{suffix}.")


def path_beyond(message: Message, max_elements: int) -> str:
    """Return the first field that, with those before it, has more elements than allowed; empty if none has."""
    elements = 0
    remaining: deque[tuple[str, Message]] = deque([("", message)])
    while remaining:
        prefix, parent = remaining.popleft()
        for field, value in parent.ListFields():
            elements += len(value) if field.is_repeated else 0
            if elements > max_elements:
                return f"{prefix}{field.name}"
            remaining.extend((f"{prefix}{field.name}{suffix}.", child) for suffix, child in _children(field, value))
    return ""


def _children(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Message]]:
    """Yield the messages in a field, each with what follows the field's name in its path."""
    if field.message_type is None:
        return
    if field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].message_type:
            yield from ((f'["{key}"]', child) for key, child in value.items())
    elif field.is_repeated:
        yield from ((f"[{index}]", child) for index, child in enumerate(value))
    else:
        yield "", value
