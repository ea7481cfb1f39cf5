"""Where a call goes: pure, first match wins, and whatever is not said is refused rather than guessed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import msgspec

from payorch_server.model.errors import CallError, Failure, Violation, failure, refuse
from payorch_server.model.outcome import Reason
from payorch_server.model.route import ZUORA_DEFAULT, Gateway, Route, RouteHints
from payorch_server.orchestration.settings import ConditionSettings, RuleSettings, TargetSettings
from payorch_server.zuora.settings import TenantSettings

_HASH_DIGITS: Final = 12
_MAX_RULES_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """What a decision is made from."""

    rpc: str
    hints: RouteHints
    currency: str = ""
    """Empty when the call has none."""


class RoutingTable:
    """The rules in force."""

    def __init__(self, *, tenants: Mapping[str, TenantSettings], rules: Sequence[RuleSettings]) -> None:
        self.policy_hash = policy_hash(tenants, rules)
        self._routes = [(rule, _route(rule, tenants, self.policy_hash)) for rule in rules]
        self._known = _known_names(tenants)

    def __repr__(self) -> str:
        return f"RoutingTable({len(self._routes)} rules, policy {self.policy_hash})"

    def resolve(self, query: RouteQuery) -> Route:
        """Return the route of the first rule that matches.

        Raises:
            NotSent: A hint is unknown, no rule matches, or the matching rule contradicts a hint.
        """
        self._refuse_unknown(query.hints)
        for rule, route in self._routes:
            if _matches(rule.when, query):
                _refuse_contradiction(rule, route, query.hints)
                return route
        tried = ", ".join(rule.name for rule, _ in self._routes[:_MAX_RULES_NAMED])
        raise refuse(Reason.ROUTE_NOT_FOUND, f"no rule matches; tried {tried}", rulesTried=tried)

    def _refuse_unknown(self, hints: RouteHints) -> None:
        violations = tuple(
            Violation(f"route.{hint}", "route.known", f"is not a name of a configured {hint.removesuffix('s')}")
            for hint, names in _hinted(hints)
            if not set(names) <= self._known[hint]
        )
        if violations:
            metadata = {"hint": violations[0].field}
            private = "unknown route hints: " + ", ".join(one.field for one in violations)
            raise failure(Failure(Reason.ROUTE_HINT_UNKNOWN, private, violations=violations, metadata=metadata))


def policy_hash(tenants: Mapping[str, TenantSettings], rules: Sequence[RuleSettings]) -> str:
    """Return a short hash that changes whenever a decision could: 12 hexadecimal digits."""
    names = {
        name: [
            tenant.origin,
            tenant.client_id,
            dict(tenant.entities),
            dict(tenant.orgs),
            {k: asdict(v) for k, v in tenant.gateways.items()},
        ]
        for name, tenant in sorted(tenants.items())
    }
    text = msgspec.json.encode([names, [asdict(rule) for rule in rules]], order="sorted")
    return hashlib.sha256(text).hexdigest()[:_HASH_DIGITS]


def _route(rule: RuleSettings, tenants: Mapping[str, TenantSettings], policy: str) -> Route:
    target, tenant = rule.to, tenants[rule.to.tenant]
    return Route(
        tenant=target.tenant,
        host=tenant.origin.partition("://")[2],
        entity=target.entity,
        entity_id=tenant.entities[target.entity] if target.entity else "",
        orgs=target.orgs,
        org_ids=tuple(tenant.orgs[name] for name in target.orgs),
        gateway=_gateway(target, tenant),
        rule=rule.name,
        policy_hash=policy,
        client_id=tenant.client_id,
    )


def _gateway(target: TargetSettings, tenant: TenantSettings) -> Gateway:
    if target.gateway == ZUORA_DEFAULT:
        return Gateway(ZUORA_DEFAULT)
    instance = tenant.gateways[target.gateway]
    return Gateway(target.gateway, instance.id, instance.label)


def _known_names(tenants: Mapping[str, TenantSettings]) -> Mapping[str, frozenset[str]]:
    every = tenants.values()
    return {
        "tenant": frozenset(tenants),
        "entity": frozenset(name for tenant in every for name in tenant.entities),
        "orgs": frozenset(name for tenant in every for name in tenant.orgs),
        "gateway": frozenset({ZUORA_DEFAULT, *(name for tenant in every for name in tenant.gateways)}),
    }


def _hinted(hints: RouteHints) -> Iterable[tuple[str, tuple[str, ...]]]:
    for hint, names in (
        ("tenant", (hints.tenant,)),
        ("entity", (hints.entity,)),
        ("orgs", hints.orgs),
        ("gateway", (hints.gateway,)),
    ):
        if any(names):
            yield hint, names


def _matches(when: ConditionSettings, query: RouteQuery) -> bool:
    hints = query.hints
    wanted = (
        (when.rpc, query.rpc),
        (when.tenant, hints.tenant),
        (when.entity, hints.entity),
        (when.gateway, hints.gateway),
        (when.currency, query.currency),
        (when.country, hints.country),
    )
    return all(not allowed or given in allowed for allowed, given in wanted) and all(
        hints.attributes.get(name) == value for name, value in when.attributes.items()
    )


def _refuse_contradiction(rule: RuleSettings, route: Route, hints: RouteHints) -> None:
    chosen = {
        "tenant": {route.tenant},
        "entity": {route.entity},
        "orgs": set(route.orgs),
        "gateway": {route.gateway.name},
    }
    for hint, names in _hinted(hints):
        if set(names) != chosen[hint]:
            raise _contradicted(rule.name, hint)


def _contradicted(rule: str, hint: str) -> CallError:
    private = f"rule {rule} contradicts the hint route.{hint}"
    return refuse(Reason.ROUTE_HINT_CONTRADICTED, private, rule=rule, hint=f"route.{hint}")
