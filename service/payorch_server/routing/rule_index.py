"""Finds the rules that may match a call, without trying those that name other values."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from payorch_server.model.money import Amount
from payorch_server.routing.conditions import Condition, RouteQuery


class _Dimension(Protocol):
    """What rules require of one property of a call; rules are bits, the first rule is the lowest."""

    @property
    def given(self) -> Callable[[RouteQuery], Any]:
        """What a call has."""
        ...

    def allowing(self, value: Any) -> int:
        """Return the rules that allow a value, with those that allow any."""
        ...


@dataclass(frozen=True, slots=True)
class _Texts:
    """A property whose values rules name, or how they begin."""

    given: Callable[[RouteQuery], Any]
    named: dict[Any, int]
    """By value."""
    prefixed: dict[str, int]
    """By the beginning of a value; without the rules that allow any value."""
    lengths: Sequence[int]
    """Of the beginnings."""
    unprefixed: frozenset[str]
    """Values that have no beginning."""
    any_value: int
    """The rules that allow any value."""

    def allowing(self, value: Any) -> int:
        """Return the rules that allow a value, with those that allow any."""
        rules = self.named.get(value, self.any_value)
        if value not in self.unprefixed:
            for length in self.lengths:
                rules |= self.prefixed.get(value[:length], 0)
        return rules


@dataclass(frozen=True, slots=True)
class _Amounts:
    """The amount of a call, of which rules name a currency and limits."""

    given: Callable[[RouteQuery], Amount | None]
    limits: dict[str, list[Decimal]]
    """By currency, in ascending order."""
    rules: dict[str, list[int]]
    """By currency: the rules below the first limit, from there to the second, and so on."""
    any_value: int

    def allowing(self, value: Amount | None) -> int:
        """Return the rules that allow an amount, with those that allow any."""
        if value is None or value.currency not in self.limits:
            return self.any_value
        return self.rules[value.currency][bisect_right(self.limits[value.currency], value.value)]


class RuleIndex:
    """A bitmap of the rules for each value that they name: of currencies, tenants, callers, amounts and so on."""

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
        """Yield the positions of the rules whose indexed conditions hold, in order; other conditions may fail."""
        left = self._every
        for dimension in self._dimensions:
            left &= dimension.allowing(dimension.given(query))
        while left:
            lowest = left & -left
            yield lowest.bit_length() - 1
            left ^= lowest


def _dimensions(rules: Sequence[Sequence[Condition]], every: int) -> Sequence[_Dimension]:
    """Return the dimensions of all conditions that can be indexed."""
    named: dict[str, list[tuple[int, Condition]]] = {}
    for position, conditions in enumerate(rules):
        for condition in conditions:
            if condition.is_indexed:
                named.setdefault(condition.name, []).append((1 << position, condition))
    return [_dimension(mentions, every) for mentions in named.values()]


def _dimension(mentions: Sequence[tuple[int, Condition]], every: int) -> _Dimension:
    any_value = every
    for rule, _ in mentions:
        any_value &= ~rule
    return (_amounts if mentions[0][1].limits else _texts)(mentions, any_value)


def _texts(mentions: Sequence[tuple[int, Condition]], any_value: int) -> _Texts:
    named: dict[Any, int] = {}
    prefixed: dict[str, int] = defaultdict(int)
    for rule, condition in mentions:
        for value in condition.allowed or ():
            named[value] = named.get(value, any_value) | rule
        for prefix in condition.prefixes:
            prefixed[prefix] |= rule
    lengths, first = sorted({len(prefix) for prefix in prefixed}), mentions[0][1]
    return _Texts(first.given, named, dict(prefixed), lengths, first.unprefixed, any_value)


def _amounts(mentions: Sequence[tuple[int, Condition]], any_value: int) -> _Amounts:
    begin: dict[str, dict[Decimal, int]] = defaultdict(lambda: defaultdict(int))
    end: dict[str, dict[Decimal, int]] = defaultdict(lambda: defaultdict(int))
    for rule, condition in mentions:
        if condition.limits:
            currency, least, beyond = condition.limits
            begin[currency][least] |= rule
            end[currency][beyond] |= rule
    limits = {currency: sorted({*begin[currency], *end[currency]}) for currency in begin}
    rules = {}
    for currency, points in limits.items():
        rules[currency] = [any_value]
        for point in points:
            rules[currency].append((rules[currency][-1] | begin[currency][point]) & ~end[currency][point])
    return _Amounts(mentions[0][1].given, limits, rules, any_value)
