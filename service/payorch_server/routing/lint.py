"""Warnings about valid rules: rules that never decide, and tenants, entities, orgs and gateways that none reaches."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from payorch_server.model.caller import ANONYMOUS, ANY
from payorch_server.model.route import ZUORA_DEFAULT
from payorch_server.routing.conditions import limits_of
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings
from payorch_server.zuora.settings import TenantSettings


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning."""

    kind: Literal["shadowed", "dead", "unreachable"]
    subject: str
    """A rule, or a path such as `tenants.acme.entities.eu`."""
    text: str


def lint(rules: Sequence[RuleSettings], tenants: Mapping[str, TenantSettings]) -> Sequence[Finding]:
    """Return the warnings, those about rules first.

    Args:
        rules: Rules that have passed the checks of a configuration.
        tenants: By name.
    """
    idle = [finding for index, rule in enumerate(rules) if (finding := _idle(rule, rules[:index]))]
    names = {finding.subject for finding in idle}
    return [*idle, *_unreachable_findings([rule for rule in rules if rule.name not in names], tenants)]


def _idle(rule: RuleSettings, earlier: Sequence[RuleSettings]) -> Finding | None:
    for other in earlier:
        if _implies(rule.when, other.when):
            text = f"never decides: whatever it matches, the earlier rule {other.name} matches too"
            return Finding("shadowed", rule.name, text)
    for hint in _contradicted_hints(rule):
        text = f"sends nothing: it requires a hint on {hint} that its own target contradicts, so every match is refused"
        return Finding("dead", rule.name, text)
    return None


def _implies(later: ConditionSettings, earlier: ConditionSettings) -> bool:
    """Return whether every call that meets the later conditions meets the earlier ones."""
    currencies = (later.amount.currency,) if later.amount else later.currency
    lists = (
        (later.rpc, earlier.rpc),
        (later.tenant, earlier.tenant),
        (later.entity, earlier.entity),
        (later.orgs, earlier.orgs),
        (later.gateway, earlier.gateway),
        (currencies, earlier.currency),
        (later.country, earlier.country),
    )
    return (
        all(_within(narrow, wide) for narrow, wide in lists)
        and _callers_within(later.caller, earlier.caller)
        and _prefixes_within(later.account_prefix, earlier.account_prefix)
        and _range_within(later.amount, earlier.amount)
        and earlier.attributes.items() <= later.attributes.items()
    )


def _within(narrow: Collection[str], wide: Collection[str]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _callers_within(narrow: Sequence[str], wide: Sequence[str]) -> bool:
    return not wide or (bool(narrow) and all(any(_covers(pattern, caller) for pattern in wide) for caller in narrow))


def _covers(pattern: str, caller: str) -> bool:
    if pattern == caller:
        return True
    return pattern.endswith(ANY) and caller != ANONYMOUS and caller.startswith(pattern.removesuffix(ANY))


def _prefixes_within(narrow: Sequence[str], wide: Sequence[str]) -> bool:
    return not wide or (bool(narrow) and all(prefix.startswith(tuple(wide)) for prefix in narrow))


def _range_within(narrow: AmountSettings | None, wide: AmountSettings | None) -> bool:
    if wide is None:
        return True
    if narrow is None or narrow.currency != wide.currency:
        return False
    (least, beyond), (wide_least, wide_beyond) = limits_of(narrow), limits_of(wide)
    return wide_least <= least and beyond <= wide_beyond


def _contradicted_hints(rule: RuleSettings) -> Iterator[str]:
    when, target = rule.when, rule.to
    for hint, allowed, chosen in (
        ("tenant", when.tenant, {target.tenant}),
        ("entity", when.entity, {target.entity}),
        ("orgs", when.orgs, set(target.orgs)),
        ("gateway", when.gateway, {target.gateway}),
    ):
        if allowed and not (chosen and chosen <= set(allowed)):
            yield hint


def _unreachable_findings(rules: Sequence[RuleSettings], tenants: Mapping[str, TenantSettings]) -> Iterator[Finding]:
    for name, tenant in tenants.items():
        targets = [rule.to for rule in rules if rule.to.tenant == name]
        if not targets:
            yield _unreachable_finding(f"tenants.{name}")
            continue
        entities, gateways = {target.entity for target in targets}, {target.gateway for target in targets}
        # A target without orgs goes to all of them.
        orgs = {org for target in targets for org in target.orgs or tenant.orgs}
        yield from _unreached_names(f"tenants.{name}.entities", tenant.entities, entities)
        yield from _unreached_names(f"tenants.{name}.orgs", tenant.orgs, orgs)
        yield from _unreached_names(f"tenants.{name}.gateways", tenant.gateways, gateways - {ZUORA_DEFAULT})


def _unreached_names(path: str, configured: Iterable[str], reached: Collection[str]) -> Iterator[Finding]:
    return (_unreachable_finding(f"{path}.{name}") for name in configured if name not in reached)


def _unreachable_finding(path: str) -> Finding:
    return Finding("unreachable", path, "no rule that can decide goes there")
