"""Takes the members of a JSON object one by one, so that what is left is what is not known."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from payorch_server.upc.hub_json import RawValue, Unusable, field_of, members_in, members_of, text_of
from payorch_server.upc.request import Defect, FieldValue, JsonNumber

ID_CHARACTERS: Final = 100
"""Most characters of an id, number or currency."""
TEXT_CHARACTERS: Final = 255
"""Most characters of a name or descriptor."""
_FIELD_CHARACTERS: Final = 8_000
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,59})(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,4})?")
_MOST_UNITS: Final = 2**63 - 1
_UNIT_DIGITS: Final = 19
_DECIMALS: Final = 9


class Members:
    """The members of an object, each of which occurs once; what is not taken is not known."""

    __slots__ = ("_path", "_values")

    def __init__(self, members: list[tuple[str, RawValue]], path: str = "") -> None:
        self._values = dict(members)
        self._path = path
        if len(self._values) != len(members):
            raise Unusable(Defect.MEMBER_TWICE, path)

    def __iter__(self) -> Iterator[tuple[str, RawValue]]:
        return iter(self._values.items())

    def invalid(self, name: str) -> Unusable:
        """Return the error of a member whose value is not allowed."""
        return Unusable(Defect.MEMBER_INVALID, self._path_of(name))

    def missing(self, name: str) -> Unusable:
        """Return the error of a member that must be given."""
        return Unusable(Defect.MEMBER_MISSING, self._path_of(name))

    def take(self, name: str) -> RawValue | None:
        """Remove and return a value; None where it is absent or null."""
        value = self._values.pop(name, None)
        return None if value == b"null" else value

    def take_optional(self, name: str, *, most: int = TEXT_CHARACTERS) -> str:
        """Take a text; empty where it is absent."""
        value = self.take(name)
        if value is None:
            return ""
        text = text_of(value, most=most)
        if text is None:
            raise self.invalid(name)
        return text

    def take_text(self, name: str, *, most: int = ID_CHARACTERS) -> str:
        """Take a text that must be given and not be empty."""
        text = self.take_optional(name, most=most)
        if not text:
            raise self.missing(name)
        return text

    def take_number(self, name: str) -> Decimal | None:
        """Take a number, a JSON text or number, of 0 to the largest google.type.Money; None where it is absent."""
        value = self.take(name)
        if value is None:
            return None
        try:
            return _exact(field_of(value, most=ID_CHARACTERS))
        except Unusable:
            raise self.invalid(name) from None

    def take_object(self, name: str, *, also_as_text: bool = False) -> "Members | None":
        """Take an object, perhaps one that is written into a text; None where it is absent."""
        value = self.take(name)
        if value is None:
            return None
        try:
            return Members((members_in if also_as_text else members_of)(value), self._path_of(name))
        except Unusable as error:
            defect = error.defect if error.defect is Defect.MEMBER_TWICE else Defect.MEMBER_INVALID
            raise Unusable(defect, self._path_of(name)) from None

    def fields(self) -> dict[str, FieldValue]:
        """Return all values, none of which may be an object or array."""
        try:
            return {_checked_name(name): field_of(value, most=_FIELD_CHARACTERS) for name, value in self}
        except Unusable as error:
            raise Unusable(error.defect, self._path) from None

    def _path_of(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _checked_name(name: str) -> str:
    if len(name) > TEXT_CHARACTERS or "\0" in name:
        raise Unusable(Defect.MEMBER_INVALID)
    return name


def _exact(value: FieldValue) -> Decimal:
    """Return a number, 0 to the largest google.type.Money with at most 9 decimals, without an exponent.

    Raises:
        Unusable: It is another value.
    """
    text = value.text if isinstance(value, JsonNumber) else value
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise Unusable(Defect.MEMBER_INVALID)
    number = Decimal(text)
    # A zero may have any exponent, and no size.
    if not number:
        return Decimal(0)
    # The size is looked at first: the digits of 1E9999 are never written out.
    if number < 0 or not -_DECIMALS <= number.adjusted() < _UNIT_DIGITS or int(number) > _MOST_UNITS:
        raise Unusable(Defect.MEMBER_INVALID)
    decimals = min(_DECIMALS, max(0, -int(number.as_tuple().exponent)))
    exact = number.quantize(Decimal(1).scaleb(-decimals))
    if exact != number:
        raise Unusable(Defect.MEMBER_INVALID)
    return exact
