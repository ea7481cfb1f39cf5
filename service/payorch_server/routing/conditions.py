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
    """The values that meet it, where it names them all."""

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
        yield Condition("caller", _shown(when.caller), lambda query: query.caller, _among_callers(when.caller))
    if when.orgs:
        yield Condition("orgs", _shown(when.orgs), lambda query: query.hints.orgs, _all_among(frozenset(when.orgs)))
    if when.amount:
        yield Condition("amount", _range(when.amount), lambda query: query.amount, _within(when.amount))
    if when.account_prefix:
        prefixes = when.account_prefix
        wanted = _shown(tuple(f"{prefix}*" for prefix in prefixes))
        yield Condition("account_prefix", wanted, lambda query: query.account, _begins(prefixes))
    for name, value in when.attributes.items():
        yield _among(f"attributes.{name}", _shown(value), _attribute(name), frozenset({value}))


def _among(name: str, wanted: str, given: Callable[[RouteQuery], Any], allowed: frozenset[str]) -> Condition:
    return Condition(name, wanted, given, allowed.__contains__, allowed)


def _among_callers(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    exact = frozenset(pattern for pattern in patterns if not pattern.endswith(ANY))
    prefixes = tuple(pattern.removesuffix(ANY) for pattern in patterns if pattern.endswith(ANY))
    return lambda identity: identity in exact or (identity not in {"", ANONYMOUS} and identity.startswith(prefixes))


def _all_among(allowed: frozenset[str]) -> Callable[[tuple[str, ...]], bool]:
    return lambda orgs: bool(orgs) and allowed.issuperset(orgs)


def _begins(prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda account: bool(account) and account.startswith(prefixes)


def _attribute(name: str) -> Callable[[RouteQuery], str | None]:
    return lambda query: query.hints.attributes.get(name)


def _within(amount: AmountSettings) -> Callable[[Amount | None], bool]:
    currency, (least, beyond) = amount.currency, limits_of(amount)
    return lambda given: given is not None and given.currency == currency and least <= given.value < beyond


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
