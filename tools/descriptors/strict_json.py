"""The Lua filter that knows the fields of every request."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

_FILTER: Final = Path("clients/envoy/strict_json.lua")
# Their JSON is a string.
_TEXTS: Final = ("google.protobuf.Timestamp", "google.protobuf.Duration")


def strict_json(image: bytes, service_name: str) -> str:
    """Return the filter with its tables, for one service of an image."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image).file:
        pool.Add(file)
    service = pool.FindServiceByName(service_name)
    methods = [f"  [{json.dumps(f'/{service_name}/{one.name}')}] = {json.dumps(one.input_type.full_name)},"
               for one in service.methods]  # fmt: skip
    found: dict[str, Descriptor] = {}
    for method in service.methods:
        _reach(method.input_type, found)
    types = [f"  [{json.dumps(name)}] = {{{', '.join(_fields(found[name]))}}}," for name in sorted(found)]
    tables = ["local METHODS = {", *methods, "}", "local TYPES = {", *types, "}"]
    return "\n".join(tables) + "\n" + _FILTER.read_text(encoding="utf-8")


def _reach(message: Descriptor, found: dict[str, Descriptor], above: tuple[str, ...] = ()) -> None:
    if message.full_name in above:
        sys.exit(f"{message.full_name} holds itself; the filter bounds its depth by the types alone.")
    found[message.full_name] = message
    for field in message.fields:
        if (below := _message_of(field)) is not None:
            _reach(below, found, (*above, message.full_name))


def _message_of(field: FieldDescriptor) -> Descriptor | None:
    """Return the message that a field, its elements or its map's values are in JSON; None for scalars."""
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        message = message.fields_by_name["value"].message_type
    return None if message is None or message.full_name in _TEXTS else message


def _fields(message: Descriptor) -> Iterator[str]:
    """Yield each field under both names that it has in JSON."""
    for field in message.fields:
        below = _message_of(field)
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        many = '"map"' if is_map else '"list"' if field.is_repeated else "nil"
        value = f"{{{field.number}, {json.dumps(below.full_name) if below else 'nil'}, {many}}}"
        for name in dict.fromkeys((field.json_name, field.name)):
            yield f"[{json.dumps(name)}] = {value}"
