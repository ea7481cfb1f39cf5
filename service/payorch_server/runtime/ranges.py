"""Types of numeric settings, each with its range, and of booleans: no other value reaches a running service.

`max_deadline_s: Annotated[float, seconds(0.1, 55)]` accepts numbers from 0.1 to 55, and no nan, infinity, boolean or
text. The range is part of the JSON schema. A test refuses settings whose numbers have no range. A boolean is a Switch,
because pydantic's bool also accepts "yes", "off", 1 and more.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MOST_SHOWN: Final = 10**20


class VariableText(str):
    """The value of an environment variable, which can only be text; from a file a value in quotes is refused."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Range:
    """The range of a numeric setting, as metadata of its type."""

    at_least: float
    at_most: float
    what: str
    """What is counted, such as seconds; may be empty."""

    def __get_pydantic_core_schema__(self, source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return how pydantic reads a setting with this range."""
        inner: CoreSchema = (
            core_schema.int_schema(ge=int(self.at_least), le=int(self.at_most))
            if source is int
            else core_schema.float_schema(ge=self.at_least, le=self.at_most, allow_inf_nan=False)
        )
        return core_schema.no_info_before_validator_function(partial(self._read, whole=source is int), inner)

    def __get_pydantic_json_schema__(self, inner: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the JSON schema of a setting with this range, and its unit, which JSON schema has no word for."""
        return handler(inner) | ({"x-unit": self.what} if self.what else {})

    def _read(self, value: Any, *, whole: bool) -> float:
        number = _from_variable(value)
        kind = ("a whole number" if whole else "a number") + (f" of {self.what}" if self.what else "")
        rule = f"must be {kind} from {self.at_least:.15g} to {self.at_most:.15g}"
        if isinstance(number, bool) or not isinstance(number, int | float):
            # The value is not shown: it could be a secret in the wrong place.
            raise PydanticCustomError("range", "{problem}", {"problem": f"{rule}, without quotes"})
        # nan compares with nothing; the range comes first, because infinity is no integer.
        if self.at_least <= number <= self.at_most and not (whole and number != int(number)):
            return number
        raise PydanticCustomError("range", "{problem}", {"problem": f"{rule}; {_shown(number)} is not"})


def _from_variable(value: object) -> object:
    return float(value) if isinstance(value, VariableText) and _NUMBER.fullmatch(value) else value


def _shown(number: float) -> str:
    # Python writes no integer of more than 4300 digits.
    return repr(number) if not abs(number) >= _MOST_SHOWN else "a number of that size"


def seconds(at_least: float, at_most: float) -> Range:
    """Return the range of a duration or an age."""
    return Range(at_least, at_most, "seconds")


def count(at_least: int, at_most: int, what: str) -> Range:
    """Return the range of a number of things, named in the plural."""
    return Range(at_least, at_most, what)


def size(at_least: int, at_most: int) -> Range:
    """Return the range of a number of bytes."""
    return Range(at_least, at_most, "bytes")


def _read_boolean(value: object) -> object:
    read = _BOOLEANS.get(value) if isinstance(value, VariableText) else value
    if not isinstance(read, bool):
        raise PydanticCustomError("bool_type", "must be true or false")
    return read


_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
"""As YAML 1.2 writes them."""
Switch = Annotated[bool, BeforeValidator(_read_boolean)]
"""A boolean: true or false without quotes; a variable contains one of the two words."""
Ratio = Annotated[float, Range(0, 1, "")]
"""A share from 0 to 1."""
