"""Finds the rules that may match a call, without trying those that name other values."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from payorch_server.routing.conditions import Condition, RouteQuery


@dataclass(frozen=True, slots=True)
class _Dimension:
    """What rules require of one property of a call; rules are bits, the first rule is the lowest."""

    given: Callable[[RouteQuery], Any]
    """What a call has."""
    rules: dict[Any, int]
    """By value: the rules that allow it, with those that allow any."""
    any_value: int
    """The rules that allow any value."""


class RuleIndex:
    """A bitmap of the rules for each value that they name: of currencies, tenants, entities, attributes and so on."""

    def __init__(self, rules: Sequence[Sequence[Condition]]) -> None:
        """Index rules.

        Args:
            rules: The conditions of each, in the order in which rules decide.
        """
        self._every = (1 << len(rules)) - 1
        self._dimensions = _dimensions(rules, self._every)

    def __repr__(self) -> str:
        return f"RuleIndex({self._every.bit_count()} rules, {len(self._dimensions)} dimensions)"

    def candidates(self, query: RouteQuery) -> Iterator[int]:
        """Yield the positions of the rules that allow every value of the call, in order; other conditions may fail."""
        left = self._every
        for dimension in self._dimensions:
            left &= dimension.rules.get(dimension.given(query), dimension.any_value)
        while left:
            lowest = left & -left
            yield lowest.bit_length() - 1
            left ^= lowest


def _dimensions(rules: Sequence[Sequence[Condition]], every: int) -> Sequence[_Dimension]:
    """Return the dimensions of all conditions that name values."""
    named: dict[str, list[tuple[int, Condition]]] = {}
    for position, conditions in enumerate(rules):
        for condition in conditions:
            if condition.allowed is not None:
                named.setdefault(condition.name, []).append((1 << position, condition))
    return [_dimension(mentions, every) for mentions in named.values()]


def _dimension(mentions: Sequence[tuple[int, Condition]], every: int) -> _Dimension:
    any_value = every
    for rule, _ in mentions:
        any_value &= ~rule
    rules: dict[Any, int] = {}
    for rule, condition in mentions:
        for value in condition.allowed or ():
            rules[value] = rules.get(value, any_value) | rule
    return _Dimension(mentions[0][1].given, rules, any_value)
