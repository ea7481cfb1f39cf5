"""Checks the rights of callers, after routing and before any join or replay; each decision is one audit line."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from payorch_server.model.caller import ANY, Caller, TenantRights
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route

_AUDIT: Final = structlog.get_logger("payorch.audit")
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
    """A right that a caller lacks."""

    right: str
    """One of caller, rpc, tenant, entity, orgs, move_money, raw_card_data, diagnostics, namespace."""
    name: str
    """What the right was needed for; empty if it is a flag."""


def missing_for_rpc(caller: Caller, rpc: str) -> MissingRight | None:
    """Return the right to an RPC if the caller lacks it."""
    return None if _covers(caller.rights.rpcs, rpc) else MissingRight("rpc", rpc)


def missing_on_route(caller: Caller, action: Action, route: Route) -> MissingRight | None:
    """Return the first right that the caller needs on the route and lacks."""
    rights = caller.rights
    tenant = rights.tenants.get(route.tenant, rights.tenants.get(ANY))
    if tenant is None:
        return MissingRight("tenant", route.tenant)
    if route.entity_id and not _covers(tenant.entities, route.entity):
        return MissingRight("entity", route.entity)
    if (org := _missing_org(tenant, action, route)) is not None:
        return MissingRight("orgs", org)
    if action.moves_money and not rights.move_money:
        return MissingRight("move_money", "")
    if action.raw_card_data and not rights.raw_card_data:
        return MissingRight("raw_card_data", "")
    return None


def permit_rpc(context: CallContext, rpc: str) -> None:
    """Refuse a caller that may not use an RPC; its rights on the route are checked later.

    Raises:
        CallError: The right is missing; NOT_SENT.
    """
    if missing := missing_for_rpc(context.caller, rpc):
        raise _deny(context, rpc, missing)


def permit(context: CallContext, action: Action, route: Route) -> bool:
    """Refuse a caller that lacks a right on its route.

    Returns:
        Whether the audit has accepted the line of this decision: it is queued, and lines are being written.

    Raises:
        CallError: A right is missing; NOT_SENT.
    """
    if missing := missing_on_route(context.caller, action, route):
        raise _deny(context, action.rpc, missing, route)
    return _audit(context, action.rpc, "allowed", route, moves_money=action.moves_money)


def permit_diagnostics(context: CallContext, rpc: str, *, namespace: str) -> None:
    """Refuse a caller that may not use diagnostics, or not for a namespace.

    Raises:
        CallError: The right is missing; NOT_SENT.
    """
    rights = context.caller.rights
    if not rights.diagnostics:
        raise _deny(context, rpc, MissingRight(DIAGNOSTICS, ""))
    if namespace != context.namespace and not _covers(rights.diagnostics_namespaces, namespace):
        raise _deny(context, rpc, MissingRight("namespace", namespace))
    _audit(context, rpc, "allowed", None)


def readable_namespaces(context: CallContext, rpc: str, *, requested: str, known: Sequence[str]) -> Sequence[str]:
    """Return the namespaces that an operator asks about: the requested one, or every one that it has the right to.

    Args:
        context: Of the operator's call.
        rpc: Name of the RPC.
        requested: Empty: all.
        known: Those that there are.

    Raises:
        CallError: A right is missing; NOT_SENT.
    """
    permit_diagnostics(context, rpc, namespace=requested or context.namespace)
    if requested:
        return (requested,)
    granted = context.caller.rights.diagnostics_namespaces
    return (context.namespace, *(name for name in known if name != context.namespace and _covers(granted, name)))


def deny_unauthenticated(context: CallContext, rpc: str, refusal: CallError) -> CallError:
    """Audit a caller whose credential is not accepted, or cannot be checked; return the error."""
    metadata = refusal.failure.metadata
    needed = metadata.get("rule") or f"keys of the issuer {metadata.get('issuer', '')}"
    _audit(context, rpc, "denied", None, right="identity", needed=needed)
    return refusal


def deny_unknown(context: CallContext, rpc: str, identity: str) -> CallError:
    """Audit a caller that the access policy does not know; return the error.

    Args:
        context: Of the call.
        rpc: Name of the RPC.
        identity: Of the caller; empty if it has no credential.
    """
    if identity:
        named = dataclasses.replace(context, caller=Caller(identity, ""))
        return _deny(named, rpc, MissingRight("caller", ""))
    error = call_error(Reason.CALLER_UNAUTHENTICATED, "no credential", credential="none", rule="one is needed")
    return deny_unauthenticated(context, rpc, error)


def denial(identity: str, missing: MissingRight) -> CallError:
    """Return the error for a caller that lacks a right."""
    detail = f"{identity} lacks the right {missing.right} {missing.name}".rstrip()
    metadata = {"right": missing.right} | ({"name": missing.name} if missing.name else {})
    return call_error(Reason.CALLER_NOT_PERMITTED, detail, **metadata)


def _covers(granted: frozenset[str], name: str) -> bool:
    return name in granted or ANY in granted


def _missing_org(tenant: TenantRights, action: Action, route: Route) -> str | None:
    """Return an org of the route that is not granted; ANY if the route goes to all orgs."""
    if ANY in tenant.orgs:
        return None
    if not route.orgs:
        return ANY if action.multi_org else None
    return next((org for org in route.orgs if org not in tenant.orgs), None)


def _deny(context: CallContext, rpc: str, missing: MissingRight, route: Route | None = None) -> CallError:
    _audit(context, rpc, "denied", route, right=missing.right, needed=missing.name)
    return denial(context.caller.identity, missing)


def _audit(context: CallContext, rpc: str, decision: str, route: Route | None, **further: str | bool) -> bool:
    fields = (
        {
            "tenant": route.tenant,
            "entity": route.entity,
            # Text, not a list, which a scrubber would walk through: this line is written for every call.
            "orgs": ",".join(route.orgs),
            "rule": route.rule,
            "policy_hash": route.policy_hash,
        }
        if route
        else {}
    )
    try:
        line = {
            "decision": decision,
            "rpc": rpc,
            **context.log_fields(),
            # Also where they are empty.
            "caller": context.caller.identity,
            "namespace": context.namespace,
            **fields,
            **further,
        }
        accepted = _AUDIT.info("access", **line)
    except Exception:  # noqa: BLE001 - a line that is missing is for the caller of this function to judge
        return False
    # A logger without a stream of its own, as in tests, returns nothing and has written the line.
    return accepted is not False
