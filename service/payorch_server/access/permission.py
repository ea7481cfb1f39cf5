"""Whether a caller may do what it asks: decided after routing and before any join or replay, one audit line each."""

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import Final

import structlog

from payorch_server.model.caller import ANY, Caller, TenantRights
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route

# Whatever telemetry.log_level says: an audit that can be silenced is none.
_AUDIT: Final = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(0))
DIAGNOSTICS: Final = "diagnostics"
"""The right to use the service's diagnostics."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a call would do on its route."""

    rpc: str
    moves_money: bool = False
    raw_card_data: bool = False
    """Whether it carries a card number."""
    multi_org: bool = False
    """Whether the route's tenant uses Multi-Org: a call without orgs then goes to all of them."""


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right that a caller has not."""

    right: str
    """One of caller, rpc, tenant, entity, orgs, move_money, raw_card_data, diagnostics, namespace."""
    name: str
    """What it was needed for; empty where the right is a yes or no."""


def missing_for_rpc(caller: Caller, rpc: str) -> MissingRight | None:
    """Return the right to an RPC if the caller has it not."""
    return None if _covers(caller.rights.rpcs, rpc) else MissingRight("rpc", rpc)


def missing_on_route(caller: Caller, asked: Action, route: Route) -> MissingRight | None:
    """Return the first right that the caller needs on the route and has not."""
    rights = caller.rights
    tenant = rights.tenants.get(route.tenant, rights.tenants.get(ANY))
    if tenant is None:
        return MissingRight("tenant", route.tenant)
    if route.entity_id and not _covers(tenant.entities, route.entity):
        return MissingRight("entity", route.entity)
    if (org := _org_beyond(tenant, asked, route)) is not None:
        return MissingRight("orgs", org)
    if asked.moves_money and not rights.move_money:
        return MissingRight("move_money", "")
    if asked.raw_card_data and not rights.raw_card_data:
        return MissingRight("raw_card_data", "")
    return None


def permit_rpc(context: CallContext, rpc: str) -> None:
    """Refuse a caller that may not use an RPC; whether it may use it on its route is decided later.

    Raises:
        CallError: The right is missing; NOT_SENT.
    """
    if missing := missing_for_rpc(context.caller, rpc):
        raise _denied(context, rpc, missing)


def permit(context: CallContext, asked: Action, route: Route) -> None:
    """Refuse a caller that may not do on a route what it asks.

    Raises:
        CallError: A right is missing; NOT_SENT.
    """
    if missing := missing_on_route(context.caller, asked, route):
        raise _denied(context, asked.rpc, missing, route)
    _audit(context, asked.rpc, "allowed", route, moves_money=asked.moves_money)


def permit_diagnostics(context: CallContext, rpc: str, *, namespace: str) -> None:
    """Refuse a caller that may not use diagnostics, or not for a namespace.

    Raises:
        CallError: The right is missing, or the namespace is another one's; NOT_SENT.
    """
    if not context.caller.rights.diagnostics:
        raise _denied(context, rpc, MissingRight(DIAGNOSTICS, ""))
    if namespace != context.namespace:
        raise _denied(context, rpc, MissingRight("namespace", namespace))
    _audit(context, rpc, "allowed", None)


def unauthenticated(context: CallContext, rpc: str, refusal: CallError) -> CallError:
    """Return the refusal of a caller whose credential is not accepted, and tell of it."""
    _audit(context, rpc, "denied", None, right="identity", needed=refusal.failure.metadata.get("rule", ""))
    return refusal


def unknown(context: CallContext, rpc: str, identity: str) -> CallError:
    """Return the refusal of a caller that the access policy does not know, and tell of it.

    Args:
        context: Of the call.
        rpc: Name of the RPC.
        identity: Who calls; empty when nobody vouches for anybody.
    """
    if identity:
        named = dataclasses.replace(context, caller=Caller(identity, ""))
        return _denied(named, rpc, MissingRight("caller", ""))
    none = call_error(Reason.CALLER_UNAUTHENTICATED, "no credential", credential="none", rule="one is needed")
    return unauthenticated(context, rpc, none)


def denial(identity: str, missing: MissingRight) -> CallError:
    """Return what a caller is told who lacks a right."""
    private = f"{identity} has not the right {missing.right} {missing.name}".rstrip()
    metadata = {"right": missing.right} | ({"name": missing.name} if missing.name else {})
    return call_error(Reason.CALLER_NOT_PERMITTED, private, **metadata)


def _covers(granted: frozenset[str], name: str) -> bool:
    return name in granted or ANY in granted


def _org_beyond(tenant: TenantRights, asked: Action, route: Route) -> str | None:
    """Return an org of the route that is not granted; ANY when the route goes to all orgs."""
    if ANY in tenant.orgs:
        return None
    if not route.orgs:
        return ANY if asked.multi_org else None
    return next((org for org in route.orgs if org not in tenant.orgs), None)


def _denied(context: CallContext, rpc: str, missing: MissingRight, route: Route | None = None) -> CallError:
    _audit(context, rpc, "denied", route, right=missing.right, needed=missing.name)
    return denial(context.caller.identity, missing)


def _audit(context: CallContext, rpc: str, decision: str, route: Route | None, **further: str | bool) -> None:
    place = (
        {
            "tenant": route.tenant,
            "entity": route.entity,
            # As text: a scrubber walks through lists, and this line is written for every call.
            "orgs": ",".join(route.orgs),
            "rule": route.rule,
            "policy_hash": route.policy_hash,
        }
        if route
        else {}
    )
    # A log that is broken must not cost a caller the answer; who watches the log sees that it has ended.
    with contextlib.suppress(Exception):
        _AUDIT.info(
            "access",
            decision=decision,
            caller=context.caller.identity,
            namespace=context.namespace,
            rpc=rpc,
            track_id=context.track_id,
            **place,
            **further,
        )
