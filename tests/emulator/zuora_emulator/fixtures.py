"""A world to begin with: tenants and what they have, from Python or from a file."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from zuora_emulator.state import Account, Client, Gateway, Invoice, State
from zuora_emulator.upc_types import LONGEST_VALUE, CustomField, CustomType, UpcConfiguration, UpcGateway

_HEADER = """\
# A world for `zuora-emulator serve --fixtures FILE`. Every credential here is public and opens nothing real.
# Ids of gateways, accounts and invoices may be left out; they then follow from tenant and name or number.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity of a tenant."""

    id: str
    hub_tenant: str | None = None
    """Its id as a tenant, which a hub gets where the switch `upc_tenant_id` is `own`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant with its entities and orgs."""

    id: str
    entities: tuple[Entity, ...]
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixtures:
    """All that exists when an emulator starts, and again after a reset."""

    tenants: tuple[Tenant, ...]
    clients: tuple[Client, ...]
    gateways: tuple[Gateway, ...] = ()
    accounts: tuple[Account, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    upc: UpcConfiguration = field(default_factory=UpcConfiguration)
    """Custom payment method types, and gateways that call a hub."""

    def state(self) -> State:
        """Return a new state with all of it."""
        state = State()
        state.add(*self.clients, *self.gateways, *self.accounts, *self.invoices)
        return state

    def summary(self) -> Iterator[str]:
        """Give lines for people: clients, and their entities with gateways, accounts and invoices."""
        for client in self.clients:
            orgs = f", orgs {', '.join(client.orgs)}" if client.orgs else ""
            yield f"client {client.name}: {client.client_id} / {client.client_secret}, tenant {client.tenant}{orgs}"
            for entity in client.entities:
                yield from self._entity_lines(entity)

    def _entity_lines(self, entity: str) -> Iterator[str]:
        yield f"  entity {entity}"
        gateways: tuple[Gateway | UpcGateway, ...] = (*self.gateways, *self.upc.gateways)
        for gateway in gateways:
            if gateway.entity == entity:
                yield f"    gateway {gateway.id} {gateway.name!r}"
        for account in self.accounts:
            if account.entity == entity:
                owed = [f"{i.number} {i.balance} {i.currency}" for i in self.invoices if i.account_id == account.id]
                yield f"    account {account.number} {account.id}: {', '.join(owed)}"

    def as_yaml(self) -> str:
        """Return the file that gives this world when it is read."""
        parts = {
            "tenants": [_tenant(tenant) for tenant in self.tenants],
            "clients": [_client(client) for client in self.clients],
            "gateways": [_gateway(gateway) for gateway in self.gateways],
            "accounts": [_account(account) for account in self.accounts],
            "invoices": [_invoice(invoice) for invoice in self.invoices],
            "custom_types": [_custom_type(custom) for custom in self.upc.types],
            "hub_gateways": [_hub_gateway(gateway) for gateway in self.upc.gateways],
        }
        written = {name: part for name, part in parts.items() if part}
        return _HEADER + yaml.safe_dump(written, sort_keys=False, width=120, allow_unicode=True)


def id_of(*names: str) -> str:
    """Return the 32 hex digits that follow from names; equal names give equal ids."""
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:32]


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [])}


def _tenant(tenant: Tenant) -> dict[str, Any]:
    entities = [_without_nothing({"id": each.id, "hub_tenant": each.hub_tenant}) for each in tenant.entities]
    return _without_nothing({"id": tenant.id, "entities": entities, "orgs": list(tenant.orgs)})


def _client(client: Client) -> dict[str, Any]:
    values = {
        "name": client.name,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "tenant": client.tenant,
        "entities": list(client.entities),
        "multi_org": client.multi_org,
        "orgs": list(client.orgs),
    }
    return _without_nothing(values)


def _gateway(gateway: Gateway) -> dict[str, Any]:
    return {
        "id": gateway.id,
        "name": gateway.name,
        "tenant": gateway.tenant,
        "entity": gateway.entity,
        "stored_credentials": gateway.stored_credentials,
    }


def _account(account: Account) -> dict[str, Any]:
    values = {
        "id": account.id,
        "number": account.number,
        "tenant": account.tenant,
        "entity": account.entity,
        "org": account.org,
        "name": account.name,
        "currency": account.currency,
        "gateway": account.gateway_id,
    }
    return _without_nothing(values)


def _invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "number": invoice.number,
        "account": invoice.account_id,
        "currency": invoice.currency,
        "balance": str(invoice.balance),
    }


def _custom_type(custom: CustomType) -> dict[str, Any]:
    values: dict[str, Any] = {"name": custom.internal_name, "tenant": custom.tenant}
    if custom.method_reference_id_field:
        values["method_reference_id_field"] = custom.method_reference_id_field
    return values | {"fields": [_custom_field(own) for own in custom.fields]}


def _custom_field(own: CustomField) -> dict[str, Any]:
    values: dict[str, Any] = {"name": own.name, "type": own.type, "required": own.required}
    lengths = {"min_length": own.min_length, "max_length": own.max_length}
    usual = {"min_length": 0, "max_length": LONGEST_VALUE}
    return values | {name: length for name, length in lengths.items() if length != usual[name]}


def _hub_gateway(gateway: UpcGateway) -> dict[str, Any]:
    return {
        "id": gateway.id,
        "name": gateway.name,
        "tenant": gateway.tenant,
        "entity": gateway.entity,
        "endpoint": gateway.endpoint,
        "user": gateway.user,
        "password": gateway.password,
        "default_auth_amount": str(gateway.default_auth_amount),
        "verifies_new_methods": gateway.verifies_new_methods,
    }
