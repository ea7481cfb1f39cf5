"""The headers of a call that its route decides: what the client sends and what an explanation shows."""

from payorch_server.model.identifiers import entity_id_on_wire
from payorch_server.model.route import Route
from payorch_server.zuora.settings import TenantSettings


def route_headers(route: Route, tenant: TenantSettings, *, versioned: bool) -> dict[str, str]:
    """Return the headers that name entity, orgs and version, each only where it applies.

    Args:
        route: Where the call goes; one that was pinned by an older version may have its ids in another form.
        tenant: Of the route.
        versioned: Whether Zuora-Version applies to the call's path.
    """
    headers: dict[str, str] = {}
    if route.entity_id:
        headers["zuora-entity-ids"] = entity_id_on_wire(route.entity_id)
    if route.org_ids:
        headers["zuora-org-ids"] = ",".join(route.org_ids)
    if versioned:
        headers["zuora-version"] = tenant.zuora_version
    return headers
