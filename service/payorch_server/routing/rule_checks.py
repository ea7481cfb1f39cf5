"""Checks of routing rules and of the tenants they name: every problem is a sentence that begins with its path."""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from payorch_server.model.caller import ANY
from payorch_server.model.identifiers import entity_id_on_wire, org_id_on_wire
from payorch_server.model.money import EXPONENTS
from payorch_server.model.names import did_you_mean, label, shown_name
from payorch_server.model.operation import ROUTED_RPCS, RPCS
from payorch_server.model.route import ZUORA_DEFAULT
from payorch_server.routing.conditions import limits_of
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings
from payorch_server.zuora.settings import TenantSettings

_WITHOUT_AMOUNT: Final = frozenset(rpc.name for rpc in RPCS.values() if not rpc.has_amount)
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def routing_problems(rules: Sequence[RuleSettings], tenants: Mapping[str, TenantSettings]) -> Iterator[str]:
    """Yield every problem of the rules.

    Args:
        rules: In their order.
        tenants: By name.
    """
    if not rules:
        yield "routing: must have at least one rule"
    names = [rule.name for rule in rules]
    for index, rule in enumerate(rules):
        path = f"routing.{index}{label(rule.name)}"
        if not rule.name:
            yield f"{path}.name: must not be empty"
        if names.index(rule.name) != index:
            yield f"{path}.name: is used by an earlier rule"
        yield from (f"{path}.when.{problem}" for problem in _condition_problems(rule.when, tenants))
        tenant = tenants.get(rule.to.tenant)
        if tenant is None:
            near = did_you_mean(rule.to.tenant, tenants)
            yield f"{path}.to.tenant: {shown_name(rule.to.tenant)} is not in tenants{near}"
        else:
            yield from _target_problems(path, rule, tenant)


def tenant_problems(path: str, tenant: TenantSettings) -> Iterator[str]:
    """Yield the problems of a tenant's entities, orgs and kill switches.

    Args:
        path: Of the tenant.
        tenant: Its settings.
    """
    yield from _same_ids(f"{path}.entities", tenant.entities, entity_id_on_wire)
    yield from _same_ids(f"{path}.orgs", tenant.orgs, org_id_on_wire)
    yield from _outside(f"{path}.switched_off", tenant.switched_off, ROUTED_RPCS)


def _same_ids(path: str, ids: Mapping[str, str], on_wire: Callable[[str], str]) -> Iterator[str]:
    first: dict[str, str] = {}
    for name, value in ids.items():
        other = first.setdefault(on_wire(value), name)
        if other != name:
            yield f"{path}.{name}: has the id of {other}"


def _condition_problems(when: ConditionSettings, tenants: Mapping[str, TenantSettings]) -> Iterator[str]:
    every = tenants.values()
    known = {
        "rpc": ROUTED_RPCS,
        "tenant": tuple(tenants),
        "entity": _names(tenant.entities for tenant in every),
        "orgs": _names(tenant.orgs for tenant in every),
        "gateway": (*_names(tenant.gateways for tenant in every), ZUORA_DEFAULT),
    }
    for condition, names in known.items():
        yield from _outside(condition, getattr(when, condition), names)
    yield from (
        f"currency: {shown_name(code)} is no active ISO 4217 code" for code in when.currency if code not in EXPONENTS
    )
    yield from (
        f"country: {shown_name(code)} is not two capital letters"
        for code in when.country
        if not _COUNTRY.fullmatch(code)
    )
    if "" in when.account_prefix:
        yield "account_prefix: an empty prefix matches every account; omit the condition"
    yield from (
        f"caller: {shown_name(pattern)!r} holds {ANY} elsewhere than at its end"
        for pattern in when.caller
        if ANY in pattern[:-1] or not pattern
    )
    if when.amount:
        yield from (f"amount{problem}" for problem in _amount_problems(when.amount, when))


def _amount_problems(amount: AmountSettings, when: ConditionSettings) -> Iterator[str]:
    currency = shown_name(amount.currency)
    if amount.currency not in EXPONENTS:
        yield f".currency: {currency} is no active ISO 4217 code"
    if when.currency and amount.currency not in when.currency:
        yield f".currency: {currency} is not among the rule's currencies, so the rule can never match"
    if when.rpc and _WITHOUT_AMOUNT.issuperset(when.rpc):
        yield f": {', '.join(map(shown_name, when.rpc))} has no amount, so the rule can never match"
    broken = [name for name in ("min", "max") if (text := getattr(amount, name)) and not _AMOUNT.fullmatch(text)]
    yield from (f'.{name}: must be decimal text such as "100.00"' for name in broken)
    if not amount.min and not amount.max:
        yield ": give min, max or both"
    if not broken and operator.ge(*limits_of(amount)):
        yield ".max: must be more than min, or the rule can never match"


def _names(mappings: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in mappings for name in names))


def _outside(path: str, named: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in named:
        if name not in known:
            shown = f"{path}: {shown_name(name)}"
            near = did_you_mean(name, known)
            yield f"{shown} is none of {', '.join(known)}{near}" if known else f"{shown} is not configured"


def _target_problems(path: str, rule: RuleSettings, tenant: TenantSettings) -> Iterator[str]:
    target = rule.to
    if tenant.entities and target.entity not in tenant.entities:
        near = did_you_mean(target.entity, tenant.entities)
        yield f"{path}.to.entity: must name one of the tenant's entities: {', '.join(tenant.entities)}{near}"
    if not tenant.entities and target.entity:
        yield f"{path}.to.entity: the tenant has no entities"
    for index, org in enumerate(target.orgs):
        if org not in tenant.orgs:
            near = did_you_mean(org, tenant.orgs)
            yield f"{path}.to.orgs: {shown_name(org)} is not among the tenant's orgs{near}"
        if org in target.orgs[:index]:
            yield f"{path}.to.orgs: {shown_name(org)} is named twice"
    if target.gateway != ZUORA_DEFAULT and target.gateway not in tenant.gateways:
        known = [*tenant.gateways, ZUORA_DEFAULT]
        yield f"{path}.to.gateway: must be one of {', '.join(known)}{did_you_mean(target.gateway, known)}"
