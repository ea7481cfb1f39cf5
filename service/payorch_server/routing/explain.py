"""Explains the route of a call that might be made, by the same decisions as for a real call."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from payorch_server.access.callers import AccessTable
from payorch_server.access.permission import Action, MissingRight, denial, missing_for_rpc, missing_on_route
from payorch_server.model.errors import CallError, call_error, invalid
from payorch_server.model.operation import CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY, RPCS
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.table import RoutingTable
from payorch_server.zuora.messages import ENTITY_IDS_HEADER, Call, route_headers
from payorch_server.zuora.resources import decryption
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1
from payorch_server.zuora.settings import PathSettings


@dataclass(frozen=True, slots=True)
class HypotheticalCall:
    """A call that might be made."""

    query: RouteQuery
    moves_money: bool = False
    raw_card_data: bool = False
    """Whether it would carry a card number."""
    method: str = ""
    """Kind of payment method, for CreatePaymentMethod; empty: one that v2 creates."""


@dataclass(frozen=True, slots=True)
class RejectedRule:
    """A rule that does not match, and the first condition that fails."""

    rule: str
    condition: str
    wanted: str
    had: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to a call."""

    policy_hash: str
    rejected: tuple[RejectedRule, ...] = ()
    """The rules that do not match, in their order."""
    route: Route | None = None
    """Of the rule that matches, also where the call is refused after all."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that the route decides; empty where no rule decides or the rule contradicts a hint."""
    gateway: str = ""
    """How the operation names the gateway: by id or by label; empty when Zuora chooses."""
    refusal: CallError | None = None
    """Why the call would be refused before anything is sent; None if it would be sent."""


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """An explanation in short, to be expected and compared: a route, or a refusal."""

    refused: str = ""
    """Name of the reason; the rest is then empty."""
    rule: str = ""
    tenant: str = ""
    host: str = ""
    entity: str = ""
    entity_id: str = ""
    orgs: tuple[str, ...] = ()
    org_ids: tuple[str, ...] = ()
    gateway: str = ""
    gateway_sent: str = ""
    """How the operation names it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A call that two policies treat differently."""

    case: str
    before: RouteSummary
    after: RouteSummary

    @property
    def members(self) -> Sequence[str]:
        """The members that differ."""
        names = (member.name for member in dataclasses.fields(RouteSummary))
        return [name for name in names if getattr(self.before, name) != getattr(self.after, name)]


def explain(question: HypotheticalCall, *, routing: RoutingTable, access: AccessTable | None) -> Explanation:
    """Return what would happen to a call.

    Args:
        question: The call; its query names the caller.
        routing: The rules.
        access: The access policy; None: rights are not checked.
    """
    decision = routing.decide(question.query)
    route = decision.route
    sent = route if decision.refusal is None else None
    return Explanation(
        policy_hash=routing.policy_hash,
        rejected=tuple(
            RejectedRule(rule.rule, rule.condition.name, rule.condition.wanted, rule.condition.had(question.query))
            for rule in routing.rejected(question.query)
        ),
        route=route,
        headers=_headers(question, routing, sent) if sent else {},
        gateway=_gateway(question, sent) if sent else "",
        refusal=next(_refusals(question, routing, access, decision.refusal, sent), None),
    )


def summary_of(explanation: Explanation) -> RouteSummary:
    """Return an explanation in short."""
    if explanation.refusal is not None:
        return RouteSummary(refused=explanation.refusal.failure.reason.name)
    route = explanation.route
    if route is None:
        return RouteSummary()
    return RouteSummary(
        rule=route.rule,
        tenant=route.tenant,
        host=route.host,
        entity=route.entity,
        entity_id=explanation.headers.get(ENTITY_IDS_HEADER, ""),
        orgs=route.orgs,
        org_ids=route.org_ids,
        gateway=route.gateway.name,
        gateway_sent=explanation.gateway,
    )


def differences(before: Mapping[str, RouteSummary], after: Mapping[str, RouteSummary]) -> Sequence[Difference]:
    """Return the cases whose summary has changed.

    Args:
        before: Summary by name of the case, under one policy.
        after: The same cases under another.
    """
    return [Difference(case, summary, after[case]) for case, summary in before.items() if summary != after[case]]


def _refusals(
    question: HypotheticalCall,
    routing: RoutingTable,
    access: AccessTable | None,
    unrouted: CallError | None,
    route: Route | None,
) -> Iterator[CallError]:
    """Yield what refuses the call, in the order in which a real call meets it."""
    rpc = question.query.rpc
    if access and (missing := _denied_before_routing(question, access)):
        yield missing
    if unrouted is not None:
        yield unrouted
    if route is None:
        return
    if access and (missing := _denied_on_route(question, routing, access, route)):
        yield missing
    if rpc in routing.tenants[route.tenant].switched_off:
        yield call_error(Reason.SWITCHED_OFF, f"{rpc} is switched off for {route.tenant}", tenant=route.tenant)
    needs_gateway = question.moves_money and RPCS[rpc].names_gateway_by_label
    if needs_gateway and (violation := decryption.problem_with_gateway(route)):
        yield invalid(violation)


def _denied_before_routing(question: HypotheticalCall, access: AccessTable) -> CallError | None:
    identity = question.query.caller
    caller = access.caller(identity)
    if caller is None and not identity:
        return call_error(Reason.CALLER_UNAUTHENTICATED, "no credential", credential="none", rule="one is needed")
    missing = missing_for_rpc(caller, question.query.rpc) if caller else MissingRight("caller", "")
    return denial(identity, missing) if missing else None


def _denied_on_route(
    question: HypotheticalCall, routing: RoutingTable, access: AccessTable, route: Route
) -> CallError | None:
    action = Action(
        rpc=question.query.rpc,
        moves_money=question.moves_money,
        raw_card_data=question.raw_card_data,
        multi_org=bool(routing.tenants[route.tenant].orgs),
    )
    caller = access.caller(question.query.caller)
    missing = missing_on_route(caller, action, route) if caller else None
    return denial(question.query.caller, missing) if missing else None


def _headers(question: HypotheticalCall, routing: RoutingTable, route: Route) -> Mapping[str, str]:
    tenant = routing.tenants[route.tenant]
    call = Call("", _path(question, tenant.paths), {})
    return route_headers(route, tenant, versioned=call.versioned)


def _path(question: HypotheticalCall, paths: PathSettings) -> str:
    by_rpc = {
        CREATE_SESSION.name: paths.sessions,
        DECRYPT_APPLE_PAY.name: paths.decryption,
        CREATE_PAYMENT_METHOD.name: paths.payment_methods_v1
        if question.method in CREATED_BY_V1
        else paths.payment_methods,
    }
    return by_rpc[question.query.rpc]


def _gateway(question: HypotheticalCall, route: Route) -> str:
    """Return how the operation names the gateway; a property test compares it with what is sent."""
    return route.gateway.label if RPCS[question.query.rpc].names_gateway_by_label else route.gateway.id
