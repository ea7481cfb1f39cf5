"""Every setting of the service and of the hub, found by its types."""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any

from payorch_server.config import Document
from payorch_server.config.base_document import BaseDocument
from payorch_server.config.hub_document import HubDocument
from payorch_server.runtime.ranges import Range

NAME = "NAME"
"""Stands for a name that people choose."""
INDEX = "INDEX"
"""Stands for a place in a list."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that holds a single value."""

    path: tuple[str, ...]
    kind: Any
    """Its type without metadata, such as int."""
    ranges: tuple[Range, ...]
    default: Any = MISSING

    @property
    def is_numeric(self) -> bool:
        """Whether it holds a number; a boolean is none."""
        return isinstance(self.kind, type) and issubclass(self.kind, int | float) and self.kind is not bool

    @property
    def is_boolean(self) -> bool:
        """Whether it holds true or false."""
        return self.kind is bool

    def __str__(self) -> str:
        return ".".join(self.path)


def settings(document: type[BaseDocument] = Document) -> Iterator[Setting]:
    """Yield every setting of a document, however deep."""
    hints = typing.get_type_hints(document, include_extras=True)
    for name in document.model_fields:
        yield from _below((name,), hints[name])


def numeric_settings() -> list[Setting]:
    """Return the settings of the service that hold numbers."""
    return [setting for setting in settings() if setting.is_numeric]


def hub_settings() -> list[Setting]:
    """Return the settings that only the hub has."""
    return [setting for setting in settings(HubDocument) if setting.path[0] == "upc"]


def _below(
    path: tuple[str, ...], kind: Any, ranges: tuple[Range, ...] = (), default: Any = MISSING
) -> Iterator[Setting]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        found = tuple(item for item in kind.__metadata__ if isinstance(item, Range))
        yield from _below(path, arguments[0], (*ranges, *found), default)
    elif origin in {typing.Union, types.UnionType}:
        for argument in arguments:
            if argument is not types.NoneType:
                yield from _below(path, argument, ranges, default)
    elif origin is tuple:
        yield from _below((*path, INDEX), arguments[0])
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _below((*path, NAME), arguments[1])
    elif is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            yield from _below((*path, field.name), hints[field.name], default=field.default)
    else:
        yield Setting(path, kind, ranges, default)
