"""Reading the fields of a JSON body of v1 and of sessions, with every problem reported at once."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from zuora_emulator.errors import Reason, Refused

_MOST_DIGITS = 20
_NUMBER = re.compile(rf"-?\d{{1,{_MOST_DIGITS}}}(\.\d{{1,{_MOST_DIGITS}}})?", re.ASCII)


class Fields:
    """Reads named fields of a body and collects what is wrong with them.

    Each reading method returns None for a field that is absent or wrong; `finish` raises for all of them together.

    Args:
        body: The object to read.
        path: What stands before a field's name in messages.
        text_amounts: Whether a number may be written as text.
    """

    def __init__(self, body: Mapping[str, Any], *, path: str = "", text_amounts: bool = False) -> None:
        self._body = body
        self._path = path
        self._text_amounts = text_amounts
        self._reasons: list[Reason] = []

    def __contains__(self, name: str) -> bool:
        return self._body.get(name) is not None

    def refuse(self, category: int, message: str, name: str | None = None) -> None:
        """Add a problem."""
        self._reasons.append(Reason(category=category, message=message, parameter=name))

    def inside(self, body: Mapping[str, Any], *, path: str) -> "Fields":
        """Return a reader of a nested object; `adopt` takes over what it finds wrong."""
        return Fields(body, path=path, text_amounts=self._text_amounts)

    def adopt(self, inner: "Fields") -> None:
        """Take over the problems of a nested object."""
        self._reasons.extend(inner._reasons)

    def finish(self) -> None:
        """End the reading.

        Raises:
            Refused: with all problems, in the order they were found.
        """
        if self._reasons:
            raise Refused(tuple(self._reasons))

    def text(
        self, name: str, *, required: bool = False, longest: int | None = None, allowed: Collection[str] | None = None
    ) -> str | None:
        """Read a text field."""
        value = self._value(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str):
            self._wrong(name, "must be a string")
            return None
        if required and not value:
            self._missing(name)
            return None
        if longest is not None and len(value) > longest:
            self._wrong(name, f"must have at most {longest} characters")
            return None
        if allowed is not None and value not in allowed:
            self._wrong(name, f"must be one of {', '.join(allowed)}")
            return None
        return value

    def flag(self, name: str, *, required: bool = False, default: bool = False) -> bool:
        """Read a true or false."""
        value = self._value(name, required=required)
        if value is None:
            return default
        if not isinstance(value, bool):
            self._wrong(name, "must be a boolean")
            return default
        return value

    def number(self, name: str, *, required: bool = False) -> Decimal | None:
        """Read a JSON number, or text that looks like one if that is accepted."""
        value = self._value(name, required=required)
        if value is None:
            return None
        if self._text_amounts and isinstance(value, str) and _NUMBER.fullmatch(value):
            return Decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self._wrong(name, "must be a number")
            return None
        number = Decimal(value)
        if abs(number.adjusted()) >= _MOST_DIGITS or len(number.as_tuple().digits) > 2 * _MOST_DIGITS:
            self._wrong(name, f"must have at most {_MOST_DIGITS} digits before and after the point")
            return None
        return number

    def mapping(self, name: str, *, required: bool = False) -> Mapping[str, Any] | None:
        """Read an object."""
        value = self._value(name, required=required)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._wrong(name, "must be an object")
            return None
        return value

    def text_mapping(self, name: str) -> Mapping[str, str] | None:
        """Read an object whose values are all text."""
        value = self.mapping(name)
        if value is not None and not all(isinstance(item, str) for item in value.values()):
            self._wrong(name, "must hold text only")
            return None
        return value

    def items(self, name: str, *, most: int) -> list[Any] | None:
        """Read an array of one to that many items."""
        value = self._value(name, required=False)
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self._wrong(name, f"must be an array of 1 to {most} items")
            return None
        return value

    def _value(self, name: str, *, required: bool) -> Any:
        value = self._body.get(name)
        if value is None and required:
            self._missing(name)
        return value

    def _missing(self, name: str) -> None:
        self.refuse(22, f"Missing required value: {self._path}{name}", name)

    def _wrong(self, name: str, problem: str) -> None:
        self.refuse(20, f"Invalid value: {self._path}{name} {problem}", name)
