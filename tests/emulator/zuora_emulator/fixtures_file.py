"""Reading a world from a file: every reference must exist, every problem has its line and key.

tenants:       [{id, entities: [{id, hub_tenant?}], orgs?: [id]}]
clients:       [{name, client_id, client_secret, tenant, entities: [id], multi_org?, orgs?: [id]}]
gateways:      [{id?, name, tenant, entity, stored_credentials?}]
accounts:      [{id?, number, tenant, entity, org?, name?, currency, gateway}]     gateway by id or name
invoices:      [{id?, number, account, currency?, balance}]                        account by id or number
custom_types:  [{name, tenant, method_reference_id_field?, fields: [{name, type?, required?, ...}]}]
hub_gateways:  [{id?, name, tenant, entity, endpoint, user, password, ...}]
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from zuora_emulator.currency import BY_CODE, is_exact
from zuora_emulator.fixtures import Entity, Fixtures, Tenant, id_of
from zuora_emulator.oauth import CLIENT_ID_LENGTH, LONGEST_SECRET
from zuora_emulator.state import Account, Client, Gateway, Invoice
from zuora_emulator.upc_types import (
    LONGEST_VALUE,
    MOST_TYPES,
    CustomField,
    CustomType,
    FieldType,
    UpcConfiguration,
    UpcGateway,
    problems_of_gateway,
    problems_of_type,
)
from zuora_emulator.yaml_nodes import Section, read_yaml

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UUID_FORM = "36 characters of a UUID in lower case"
_OBJECT_ID = r"[0-9a-f]{32}"
_OBJECT_ID_FORM = "32 hex digits in lower case"
_NUMBER = r"[A-Za-z0-9._-]{1,50}"
_NUMBER_FORM = "1 to 50 letters, digits, dots and hyphens"
_GATEWAY_NAME = r".{1,40}"


def read_fixtures(path: Path, *, allow_local_hubs: bool = False) -> Fixtures:
    """Read a world.

    Args:
        path: The file.
        allow_local_hubs: Whether hubs may be anywhere, as with the switch `upc_allow_local_endpoints`.

    Raises:
        FileError: With every problem.
    """
    section, problems = read_yaml(path)
    reader = _Reader(allow_local_hubs=allow_local_hubs)
    fixtures = reader.read(section)
    problems.finish()
    return fixtures


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads the parts in the order in which they refer to each other."""

    allow_local_hubs: bool
    tenants: dict[str, Tenant] = field(default_factory=dict)
    gateways: list[Gateway] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    _known: set[tuple[str, ...]] = field(default_factory=set)

    def read(self, section: Section) -> Fixtures:
        for each in section.sections("tenants", required=True):
            self._tenant(each)
        clients = [self._client(each) for each in section.sections("clients", required=True)]
        gateways = [self._gateway(each) for each in section.sections("gateways")]
        hub_gateways = [self._hub_gateway(each) for each in section.sections("hub_gateways")]
        self.gateways = [*gateways, *(gateway.as_gateway() for gateway in hub_gateways)]
        self.accounts = [self._account(each) for each in section.sections("accounts")]
        invoices = [self._invoice(each) for each in section.sections("invoices")]
        types = [self._custom_type(each) for each in section.sections("custom_types")]
        for tenant in self.tenants:
            if sum(custom.tenant == tenant for custom in types) > MOST_TYPES:
                section.refuse("custom_types", f"tenant {tenant} must not have more than {MOST_TYPES}")
        section.finish()
        upc = UpcConfiguration(types=tuple(types), gateways=tuple(hub_gateways), entity_tenants=self._hub_tenants())
        return Fixtures(
            tenants=tuple(self.tenants.values()),
            clients=tuple(clients),
            gateways=tuple(gateways),
            accounts=tuple(self.accounts),
            invoices=tuple(invoices),
            upc=upc,
        )

    def _hub_tenants(self) -> Mapping[str, str]:
        entities = (entity for tenant in self.tenants.values() for entity in tenant.entities)
        return {entity.id: entity.hub_tenant for entity in entities if entity.hub_tenant}

    # --- tenants and clients

    def _tenant(self, section: Section) -> None:
        name = section.text("id", pattern=r"[0-9]{1,12}", form="a tenant's number") or ""
        self._once(section, "id", "tenant", name)
        entities = [self._entity(each) for each in section.sections("entities", required=True)]
        self.tenants[name] = Tenant(id=name, entities=tuple(entities), orgs=section.texts("orgs", required=False))
        section.finish()

    def _entity(self, section: Section) -> Entity:
        name = section.text("id", pattern=_UUID, form=_UUID_FORM) or ""
        self._once(section, "id", "entity", name)
        entity = Entity(id=name, hub_tenant=section.text("hub_tenant", required=False))
        section.finish()
        return entity

    def _client(self, section: Section) -> Client:
        tenant = self._tenant_of(section)
        form = f"{CLIENT_ID_LENGTH} characters"
        client = Client(
            name=section.text("name", words=True) or "",
            client_id=section.text("client_id", pattern=f".{{{CLIENT_ID_LENGTH}}}", form=form) or "",
            client_secret=section.text(
                "client_secret",
                pattern=f".{{1,{LONGEST_SECRET}}}",
                form=f"1 to {LONGEST_SECRET} characters",
                words=True,
            )
            or "",
            tenant=tenant.id,
            entities=section.texts("entities"),
            multi_org=section.flag("multi_org", default=False),
            orgs=section.texts("orgs", required=False),
        )
        self._once(section, "client_id", "client", client.client_id)
        for entity in set(client.entities) - {each.id for each in tenant.entities}:
            section.refuse("entities", f"tenant {tenant.id} has no entity {entity!r}")
        for org in set(client.orgs) - set(tenant.orgs):
            section.refuse("orgs", f"tenant {tenant.id} has no org {org!r}")
        if not client.entities:
            section.refuse("entities", "must have at least one")
        if client.orgs and not client.multi_org:
            section.refuse("orgs", "need multi_org: true")
        section.finish()
        return client

    # --- gateways

    def _gateway(self, section: Section) -> Gateway:
        gateway = Gateway(
            **self._gateway_names(section), stored_credentials=section.flag("stored_credentials", default=True)
        )
        section.finish()
        return gateway

    def _gateway_names(self, section: Section) -> dict[str, Any]:
        tenant, entity = self._place(section)
        name = section.text("name", pattern=_GATEWAY_NAME, form="1 to 40 characters", words=True) or ""
        self._once(section, "name", "gateway name", entity, name)
        return {"id": self._id(section, "gateway", entity, name), "name": name, "tenant": tenant.id, "entity": entity}

    def _hub_gateway(self, section: Section) -> UpcGateway:
        amount = section.decimal("default_auth_amount", required=False)
        gateway = UpcGateway(
            **self._gateway_names(section),
            endpoint=section.text("endpoint", words=True) or "",
            user=section.text("user", words=True) or "",
            password=section.text("password", words=True) or "",
            default_auth_amount=Decimal(1) if amount is None else amount,
            verifies_new_methods=section.flag("verifies_new_methods", default=True),
        )
        section.finish()
        if gateway.endpoint and gateway.user:
            for problem in problems_of_gateway(gateway, allow_local=self.allow_local_hubs):
                section.refuse("", problem)
        return gateway

    # --- accounts and invoices

    def _account(self, section: Section) -> Account:
        tenant, entity = self._place(section)
        number = section.text("number", pattern=_NUMBER, form=_NUMBER_FORM) or ""
        self._once(section, "number", "account number", tenant.id, number)
        org = section.text("org", required=False)
        if org is not None and org not in tenant.orgs:
            section.refuse("org", f"tenant {tenant.id} has no org {org!r}")
        key = section.text("gateway") or ""
        found = [each for each in self.gateways if each.entity == entity and key in {each.id, each.name}]
        if key and not found:
            section.refuse("gateway", f"the entity has no gateway with the id or name {key!r}")
        account = Account(
            id=self._id(section, "account", tenant.id, number),
            number=number,
            tenant=tenant.id,
            entity=entity,
            org=org,
            name=section.text("name", required=False, words=True) or number,
            currency=self._currency(section, required=True) or "",
            gateway_id=found[0].id if found else "",
        )
        section.finish()
        return account

    def _invoice(self, section: Section) -> Invoice:
        key = section.text("account") or ""
        found = [account for account in self.accounts if key in {account.id, account.number}]
        if key and len(found) != 1:
            how = "no account has" if not found else f"{len(found)} accounts have"
            section.refuse("account", f"{how} the id or number {key!r}")
        account = found[0] if len(found) == 1 else None
        number = section.text("number", pattern=_NUMBER, form=_NUMBER_FORM) or ""
        tenant = account.tenant if account else ""
        self._once(section, "number", "invoice number", tenant, number)
        currency = self._currency(section, required=False) or (account.currency if account else "")
        balance = section.decimal("balance") or Decimal(0)
        if currency and not is_exact(amount=balance, currency=currency):
            section.refuse("balance", f"has more decimals than {currency} has")
        invoice = Invoice(
            id=self._id(section, "invoice", tenant, number),
            number=number,
            account_id=account.id if account else "",
            currency=currency,
            balance=balance,
        )
        section.finish()
        return invoice

    # --- custom types

    def _custom_type(self, section: Section) -> CustomType:
        tenant = self._tenant_of(section)
        custom = CustomType(
            internal_name=section.text("name", words=True) or "",
            tenant=tenant.id,
            fields=tuple(_custom_field(each) for each in section.sections("fields", required=True)),
            method_reference_id_field=section.text("method_reference_id_field", required=False) or "",
        )
        self._once(section, "name", "custom type", custom.full_name.lower())
        section.finish()
        for problem in problems_of_type(custom) if custom.fields else ():
            section.refuse("name", problem)
        return custom

    # --- what several have

    def _tenant_of(self, section: Section) -> Tenant:
        name = section.text("tenant")
        if name is not None and name not in self.tenants:
            section.refuse("tenant", f"there is no tenant {name!r}")
        return self.tenants.get(name or "", Tenant(id="", entities=()))

    def _place(self, section: Section) -> tuple[Tenant, str]:
        tenant, entity = self._tenant_of(section), section.text("entity") or ""
        if tenant.id and entity and entity not in {each.id for each in tenant.entities}:
            section.refuse("entity", f"tenant {tenant.id} has no entity {entity!r}")
        return tenant, entity

    def _id(self, section: Section, *names: str) -> str:
        found = section.text("id", required=False, pattern=_OBJECT_ID, form=_OBJECT_ID_FORM) or id_of(*names)
        self._once(section, "id", "id", found)
        return found

    def _currency(self, section: Section, *, required: bool) -> str | None:
        return section.text("currency", required=required, allowed=tuple(BY_CODE))

    def _once(self, section: Section, key: str, *names: str) -> None:
        """Refuse a name that was read before in the same place."""
        if names[-1] and names in self._known:
            section.refuse(key, f"{names[-1]!r} is there twice")
        self._known.add(names)


def _custom_field(section: Section) -> CustomField:
    kinds: tuple[FieldType, ...] = get_args(FieldType)
    kind = section.text("type", required=False, allowed=kinds)
    own = CustomField(
        name=section.text("name", words=True) or "",
        type=next((each for each in kinds if each == kind), "string"),
        required=section.flag("required", default=False),
        min_length=section.integer("min_length", default=0),
        max_length=section.integer("max_length", default=LONGEST_VALUE),
    )
    section.finish()
    return own
