"""Secrets: values that are never rendered."""

from typing import Any, Final, Generic, NoReturn, TypeVar

T = TypeVar("T")

REDACTED: Final = "[redacted]"


class Secret(Generic[T]):
    """A value that must never be rendered: a credential, account data, personal data.

    It prints as a constant, cannot be pickled and has no attribute that leads to the value by accident. `reveal` is a
    function because lint can ban functions, and it is banned outside the modules that put a value on a wire.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret([redacted])"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret cannot be pickled or copied into another process.")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A Secret cannot be pickled or copied into another process.")


def reveal(secret: Secret[T]) -> T:
    """Return the value inside, for the wire and nothing else."""
    return secret._value  # noqa: SLF001 - the only access to the value
