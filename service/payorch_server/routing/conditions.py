"""The conditions of routing rules: each can be checked, and shown to people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from payorch_server.model.caller import ANONYMOUS, ANY
from payorch_server.model.money import Amount
from payorch_server.model.route import RouteHints
from payorch_server.routing.settings import AmountSettings, ConditionSettings

NOTHING: Final = "nothing"
"""Shown where a call lacks what a condition is about."""


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """What a decision is made from."""

    rpc: str
    hints: RouteHints
    currency: str = ""
    """Empty when the call has none."""
    amount: Amount | None = None
    """None when the call has none."""
    account: str = ""
    """Id or number of the customer account as the call names it; empty when it names none."""
    caller: str = ""
    """Identity of the caller; empty when it is not identified."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule."""

    name: str
    """Such as `currency` or `attributes.brand`."""
    wanted: str
    """What it requires, for people to read."""
    given: Callable[[RouteQuery], Any]
    """What the call has."""
    holds: Callable[[Any], bool]
    """Whether that meets the condition."""
    allowed: frozenset[str] | None = None
    """The values that meet it, where it names them, or how they begin."""
    prefixes: tuple[str, ...] = ()
    """How further values begin that meet it."""
    unprefixed: frozenset[str] = frozenset()
    """Values that have no beginning."""
    limits: tuple[str, Decimal, Decimal] | None = None
    """Currency, smallest amount and smallest beyond it, where it is about an amount."""

    @property
    def is_indexed(self) -> bool:
        """Whether an index can tell which values meet it."""
        return self.allowed is not None or self.limits is not None

    def had(self, query: RouteQuery) -> str:
        """Return what the call has, for people to read."""
        return _shown(self.given(query))


def conditions_of(when: ConditionSettings) -> tuple[Condition, ...]:
    """Return the conditions that are given, in the order in which they are checked."""
    return tuple(_conditions(when))


def first_failed(conditions: tuple[Condition, ...], query: RouteQuery) -> Condition | None:
    """Return the first condition that the call does not meet, or None if the rule matches."""
    for condition in conditions:
        if not condition.holds(condition.given(query)):
            return condition
    return None


def limits_of(amount: AmountSettings) -> tuple[Decimal, Decimal]:
    """Return the smallest amount of a range and the smallest beyond it; without a limit infinity."""
    return Decimal(amount.min or 0), Decimal(amount.max or "Infinity")


_LISTS: Final[tuple[tuple[str, Callable[[RouteQuery], str]], ...]] = (
    ("rpc", lambda query: query.rpc),
    ("tenant", lambda query: query.hints.tenant),
    ("entity", lambda query: query.hints.entity),
    ("gateway", lambda query: query.hints.gateway),
    ("currency", lambda query: query.currency),
    ("country", lambda query: query.hints.country),
)


def _conditions(when: ConditionSettings) -> Iterator[Condition]:
    for name, given in _LISTS:
        if allowed := getattr(when, name):
            yield _among(name, _shown(allowed), given, frozenset(allowed))
    if when.caller:
        yield _among_callers(when.caller)
    if when.orgs:
        yield Condition("orgs", _shown(when.orgs), lambda query: query.hints.orgs, _all_among(frozenset(when.orgs)))
    if when.amount:
        yield _within(when.amount)
    if when.account_prefix:
        wanted = _shown(tuple(f"{prefix}*" for prefix in when.account_prefix))
        yield _beginning("account_prefix", wanted, lambda query: query.account, when.account_prefix, frozenset({""}))
    for name, value in when.attributes.items():
        yield _among(f"attributes.{name}", _shown(value), _attribute(name), frozenset({value}))


def _among(name: str, wanted: str, given: Callable[[RouteQuery], Any], allowed: frozenset[str]) -> Condition:
    return Condition(name, wanted, given, allowed.__contains__, allowed)


def _among_callers(patterns: tuple[str, ...]) -> Condition:
    exact = frozenset(pattern for pattern in patterns if not pattern.endswith(ANY))
    prefixes = tuple(pattern.removesuffix(ANY) for pattern in patterns if pattern.endswith(ANY))
    return _beginning(
        "caller", _shown(patterns), lambda query: query.caller, prefixes, frozenset({"", ANONYMOUS}), exact=exact
    )


def _beginning(
    name: str,
    wanted: str,
    given: Callable[[RouteQuery], str],
    prefixes: tuple[str, ...],
    unprefixed: frozenset[str],
    *,
    exact: frozenset[str] = frozenset(),
) -> Condition:
    def holds(value: str) -> bool:
        return value in exact or (value not in unprefixed and value.startswith(prefixes))

    return Condition(name, wanted, given, holds, exact, prefixes, unprefixed)


def _all_among(allowed: frozenset[str]) -> Callable[[tuple[str, ...]], bool]:
    return lambda orgs: bool(orgs) and allowed.issuperset(orgs)


def _attribute(name: str) -> Callable[[RouteQuery], str | None]:
    return lambda query: query.hints.attributes.get(name)


def _within(amount: AmountSettings) -> Condition:
    currency, (least, beyond) = amount.currency, limits_of(amount)

    def holds(given: Amount | None) -> bool:
        return given is not None and given.currency == currency and least <= given.value < beyond

    limits = (currency, least, beyond)
    return Condition("amount", _range(amount), lambda query: query.amount, holds, limits=limits)


def _range(amount: AmountSettings) -> str:
    least = f"at least {amount.min}" if amount.min else ""
    beyond = f"below {amount.max}" if amount.max else ""
    return f"{' and '.join(filter(None, (least, beyond)))} {amount.currency}"


def _shown(value: Any) -> str:
    if isinstance(value, Amount):
        return f"{value.value:f} {value.currency}"
    if isinstance(value, tuple):
        return ", ".join(value) or NOTHING
    return NOTHING if value is None or value == "" else str(value)
