"""The tenants of a policy: their settings, their addresses and their credentials."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from payorch_server.model.identifiers import entity_id_on_wire
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.zuora.messages import Call
from payorch_server.zuora.settings import TenantSettings
from payorch_server.zuora.tokens import Credential


class TenantDirectory:
    """Knows the tenants; it never changes, a reload makes another one."""

    def __init__(self, tenants: Mapping[str, TenantSettings], secrets: Mapping[str, Secret[str]]) -> None:
        self._tenants = tenants
        self._secrets = secrets

    def __repr__(self) -> str:
        return f"TenantDirectory({', '.join(self._tenants)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tenants."""
        return tuple(self._tenants)

    def named(self, name: str) -> TenantSettings:
        """Return the settings of a tenant."""
        return self._tenants[name]

    def entities(self) -> Iterator[tuple[str, str, str]]:
        """Yield the name of a tenant, the name of an entity and its id on the wire; both empty where it has none."""
        for name, tenant in self._tenants.items():
            for entity, entity_id in (tenant.entities or {"": ""}).items():
                yield name, entity, entity_id_on_wire(entity_id)

    def of(self, route: Route) -> TenantSettings:
        """Return the settings of a route's tenant."""
        return self._tenants[route.tenant]

    def uses_multi_org(self, route: Route) -> bool:
        """Return whether a call without orgs on the route goes to several; true where the tenant is gone."""
        tenant = self._tenants.get(route.tenant)
        return tenant is None or bool(tenant.orgs)

    def serves(self, route: Route) -> bool:
        """Return whether a pinned route is still configured: its tenant, on its host, with its entity."""
        tenant = self._tenants.get(route.tenant)
        if tenant is None or tenant.host != route.host:
            return False
        if route.client_id and route.client_id not in {tenant.client_id, *tenant.previous_client_ids}:
            return False
        entity_ids = {entity_id_on_wire(value) for value in tenant.entities.values()}
        return not route.entity_id or entity_id_on_wire(route.entity_id) in entity_ids

    def url(self, call: Call, route: Route) -> str:
        """Return where a call on a route goes."""
        query = f"?{urlencode(call.query)}" if call.query else ""
        return f"{self._tenants[route.tenant].origin}{call.path}{query}"

    def credential(self, name: str, entity_id: str = "") -> Credential:
        """Return the credential of a tenant's tokens.

        Args:
            name: Of the tenant.
            entity_id: Of the entity that a token is for, where the tenant has tokens for each; otherwise, and where it
                is empty, the token is valid for all its entities.
        """
        tenant = self._tenants[name]
        scope = entity_id if tenant.token_scope == "entity" else ""  # noqa: S105 - not a password
        url = tenant.origin + tenant.paths.token
        return Credential(url, tenant.paths.token, tenant.client_id, self._secrets[name], scope)

    def owner_of(self, credential: Credential) -> str:
        """Return the first tenant that a credential belongs to; empty if no tenant has it any more."""
        return next(iter(self.owners_of(credential)), "")

    def owners_of(self, credential: Credential) -> tuple[str, ...]:
        """Return the tenants that share a credential."""
        whole = replace(credential, entity_id="")
        return tuple(name for name in self._tenants if self.credential(name) == whole)
