"""A tenant, routes to it, and contexts of calls."""

import dataclasses
from typing import Any

from payorch_server.model.caller import EVERYTHING, Caller, Rights
from payorch_server.model.context import CallContext
from payorch_server.model.identifiers import TrackId
from payorch_server.model.route import ZUORA_DEFAULT, Gateway, Route
from payorch_server.zuora.settings import GatewaySettings, TenantSettings

GATEWAY = Gateway("cards", "4028839f7ca310a5017ca3f5a1b20001", "Cards EU")
CHOSEN_BY_ZUORA = Gateway(ZUORA_DEFAULT)


def with_caller(context: CallContext, namespace: str, rights: Rights = EVERYTHING) -> CallContext:
    """Make the call one of another caller."""
    return dataclasses.replace(context, caller=Caller(namespace, namespace, rights))


def tenant(**changes: Any) -> TenantSettings:
    """Make a tenant with one gateway, two entities and two orgs."""
    settings: dict[str, Any] = {
        "client_id": "11111111-2222-3333-4444-555555555555",
        "client_secret_file": "/nowhere",
        "base_url": "https://zuora.test",
        "entities": {"us": "a" * 32, "eu": "b" * 32},
        "orgs": {"north": "n1", "south": "s1"},
        "gateways": {GATEWAY.name: GatewaySettings(GATEWAY.id, GATEWAY.label)},
    }
    return TenantSettings(**settings | changes)


def route(**changes: Any) -> Route:
    """Make a route to the tenant `acme`: no entity, no org, the gateway `cards`."""
    members: dict[str, Any] = {
        "tenant": "acme",
        "host": "zuora.test",
        "entity": "",
        "entity_id": "",
        "orgs": (),
        "org_ids": (),
        "gateway": GATEWAY,
        "rule": "all",
        "policy_hash": "0123456789ab",
    }
    return Route(**members | changes)


def context(*, deadline_s: float = 1020.0, track_id: str = "track-1") -> CallContext:
    """Make a context whose deadline is 20 s after the fake clock's start."""
    return CallContext(TrackId(track_id), deadline_s, Caller("test", "default", EVERYTHING))
