"""The routing decision: pure; the first rule that matches decides, and a call that none matches is refused."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import msgspec

from payorch_server.model.errors import CallError, Failure, Violation, call_error, error_for
from payorch_server.model.identifiers import entity_id_on_wire, org_id_on_wire
from payorch_server.model.outcome import Reason
from payorch_server.model.route import ZUORA_DEFAULT, Gateway, Route, RouteHints
from payorch_server.routing.conditions import Condition, RouteQuery, conditions_of, first_failed
from payorch_server.routing.rule_index import RuleIndex
from payorch_server.routing.settings import RuleSettings, TargetSettings
from payorch_server.zuora.settings import TenantSettings

_HASH_DIGITS: Final = 12
_MAX_RULES_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class UnmatchedRule:
    """A rule that does not match."""

    rule: str
    condition: Condition
    """The first that the call does not meet."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules make of a call: a route, a refusal, or both where the rule that matches contradicts a hint."""

    route: Route | None = None
    """Of the rule that matches."""
    refusal: CallError | None = None
    """Why the call has no route."""


@dataclass(frozen=True, slots=True)
class _Rule:
    route: Route
    conditions: tuple[Condition, ...]
    not_indexed: tuple[Condition, ...]
    """Those that are still to be checked of a candidate of the index."""


class RoutingTable:
    """The rules in force."""

    def __init__(self, *, tenants: Mapping[str, TenantSettings], rules: Sequence[RuleSettings]) -> None:
        self.policy_hash = policy_hash(tenants, rules)
        self.tenants = tenants
        """By name."""
        self._rules = [_rule(rule, tenants, self.policy_hash) for rule in rules]
        self._index = RuleIndex([rule.conditions for rule in self._rules])
        self._known = _known_names(tenants)

    def __repr__(self) -> str:
        return f"RoutingTable({len(self._rules)} rules, policy {self.policy_hash})"

    def resolve(self, query: RouteQuery) -> Route:
        """Return the route of the first rule that matches.

        Raises:
            CallError: A hint is unknown, no rule matches, or the matching rule contradicts a hint; NOT_SENT.
        """
        decision = self.decide(query)
        if decision.refusal is not None or decision.route is None:
            raise decision.refusal or _no_rule(self._rules)
        return decision.route

    def decide(self, query: RouteQuery) -> Decision:
        """Return what the rules make of a call."""
        if unknown := _unknown_hints(query.hints, self._known):
            return Decision(refusal=unknown)
        for position in self._index.candidates(query):
            rule = self._rules[position]
            if first_failed(rule.not_indexed, query) is None:
                return Decision(rule.route, _contradiction(rule.route, query.hints))
        return Decision(refusal=_no_rule(self._rules))

    def rejected(self, query: RouteQuery) -> Sequence[UnmatchedRule]:
        """Return the rules before the one that matches, in their order; none where a hint is unknown."""
        rejected: list[UnmatchedRule] = []
        if _unknown_hints(query.hints, self._known):
            return rejected
        for rule in self._rules:
            failed = first_failed(rule.conditions, query)
            if failed is None:
                break
            rejected.append(UnmatchedRule(rule.route.rule, failed))
        return rejected


def policy_hash(tenants: Mapping[str, TenantSettings], rules: Sequence[RuleSettings]) -> str:
    """Return a short hash that changes whenever a decision could: 12 hexadecimal digits."""
    names = {
        name: [
            tenant.origin,
            tenant.client_id,
            {entity: entity_id_on_wire(value) for entity, value in tenant.entities.items()},
            {org: org_id_on_wire(value) for org, value in tenant.orgs.items()},
            {k: asdict(v) for k, v in tenant.gateways.items()},
        ]
        for name, tenant in sorted(tenants.items())
    }
    text = msgspec.json.encode([names, [asdict(rule) for rule in rules]], order="sorted")
    return hashlib.sha256(text).hexdigest()[:_HASH_DIGITS]


def _rule(rule: RuleSettings, tenants: Mapping[str, TenantSettings], policy: str) -> _Rule:
    conditions = conditions_of(rule.when)
    not_indexed = tuple(condition for condition in conditions if not condition.is_indexed)
    return _Rule(_route(rule, tenants, policy), conditions, not_indexed)


def _route(rule: RuleSettings, tenants: Mapping[str, TenantSettings], policy: str) -> Route:
    target, tenant = rule.to, tenants[rule.to.tenant]
    return Route(
        tenant=target.tenant,
        host=tenant.host,
        entity=target.entity,
        entity_id=entity_id_on_wire(tenant.entities[target.entity]) if target.entity else "",
        orgs=target.orgs,
        org_ids=tuple(org_id_on_wire(tenant.orgs[name]) for name in target.orgs),
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


def _given_hints(hints: RouteHints) -> Iterable[tuple[str, tuple[str, ...]]]:
    for hint, names in (
        ("tenant", (hints.tenant,)),
        ("entity", (hints.entity,)),
        ("orgs", hints.orgs),
        ("gateway", (hints.gateway,)),
    ):
        if any(names):
            yield hint, names


def _unknown_hints(hints: RouteHints, known: Mapping[str, frozenset[str]]) -> CallError | None:
    violations = tuple(
        Violation(f"route.{hint}", "route.known", f"is not a name of a configured {hint.removesuffix('s')}")
        for hint, names in _given_hints(hints)
        if not set(names) <= known[hint]
    )
    if not violations:
        return None
    detail = "unknown route hints: " + ", ".join(violation.field for violation in violations)
    metadata = {"hint": violations[0].field}
    return error_for(Failure(Reason.ROUTE_HINT_UNKNOWN, detail, violations=violations, metadata=metadata))


def _contradiction(route: Route, hints: RouteHints) -> CallError | None:
    chosen = {
        "tenant": {route.tenant},
        "entity": {route.entity},
        "orgs": set(route.orgs),
        "gateway": {route.gateway.name},
    }
    for hint, names in _given_hints(hints):
        if set(names) != chosen[hint]:
            detail = f"rule {route.rule} contradicts the hint route.{hint}"
            return call_error(Reason.ROUTE_HINT_CONTRADICTED, detail, rule=route.rule, hint=f"route.{hint}")
    return None


def _no_rule(rules: Sequence[_Rule]) -> CallError:
    tried = ", ".join(rule.route.rule for rule in rules[:_MAX_RULES_NAMED])
    return call_error(Reason.ROUTE_NOT_FOUND, f"no rule matches; tried {tried}", rulesTried=tried)
