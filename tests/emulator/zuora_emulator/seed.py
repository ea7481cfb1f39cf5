"""What a fresh emulator holds. All of it is published: credentials are made of plain words and open nothing real."""

from decimal import Decimal

from zuora_emulator.fixtures import Entity, Fixtures, Tenant
from zuora_emulator.state import Account, Client, Gateway, Invoice
from zuora_emulator.upc_types import CustomField, CustomType, UpcConfiguration, UpcGateway

TENANT = "10001"
OTHER_TENANT = "20002"

ENTITY_US = "11111111-1111-4111-8111-111111111111"
ENTITY_EU = "22222222-2222-4222-8222-222222222222"
ENTITY_SINGLE = "33333333-3333-4333-8333-333333333333"
ENTITY_OTHER = "44444444-4444-4444-8444-444444444444"

ORG_NORTH = "8a8aa00000000000000000000000a001"
ORG_SOUTH = "8a8aa00000000000000000000000a002"
ORG_FORBIDDEN = "8a8aa00000000000000000000000a003"
"""Exists, but no client may use it."""

CLIENT_A = Client(
    name="A",
    client_id="emulator-client-a-000000000000000001",
    client_secret="emulator-secret-a",
    tenant=TENANT,
    entities=(ENTITY_US, ENTITY_EU),
    multi_org=True,
    orgs=(ORG_NORTH, ORG_SOUTH),
)
"""Several entities, Multi-Org on."""

CLIENT_B = Client(
    name="B",
    client_id="emulator-client-b-000000000000000002",
    client_secret="emulator-secret-b",
    tenant=TENANT,
    entities=(ENTITY_SINGLE,),
    multi_org=False,
)
"""One entity, Multi-Org off."""

CLIENT_C = Client(
    name="C",
    client_id="emulator-client-c-000000000000000003",
    client_secret="emulator-secret-c",
    tenant=OTHER_TENANT,
    entities=(ENTITY_OTHER,),
    multi_org=False,
)
"""Another tenant."""

GATEWAY_US = Gateway(
    id="4028801a000000000000000000000001",
    name="Emulator Cards US",
    tenant=TENANT,
    entity=ENTITY_US,
    stored_credentials=True,
)
GATEWAY_US_PLAIN = Gateway(
    id="4028801a000000000000000000000002",
    name="Emulator Plain US",
    tenant=TENANT,
    entity=ENTITY_US,
    stored_credentials=False,
)
GATEWAY_EU = Gateway(
    id="4028801a000000000000000000000003",
    name="Emulator Cards EU",
    tenant=TENANT,
    entity=ENTITY_EU,
    stored_credentials=True,
)
GATEWAY_SINGLE = Gateway(
    id="4028801a000000000000000000000004",
    name="Emulator Cards Single",
    tenant=TENANT,
    entity=ENTITY_SINGLE,
    stored_credentials=True,
)
GATEWAY_OTHER = Gateway(
    id="4028801a000000000000000000000005",
    name="Emulator Cards Other",
    tenant=OTHER_TENANT,
    entity=ENTITY_OTHER,
    stored_credentials=True,
)


def _account(number: int, *, gateway: Gateway, currency: str, org: str | None = None) -> Account:
    return Account(
        id=f"2c92c0f8{number:024x}",
        number=f"A{number:08}",
        tenant=gateway.tenant,
        entity=gateway.entity,
        org=org,
        name=f"Emulated customer {number}",
        currency=currency,
        gateway_id=gateway.id,
    )


ACCOUNT_US = _account(1, gateway=GATEWAY_US, currency="USD", org=ORG_NORTH)
ACCOUNT_US_SOUTH = _account(2, gateway=GATEWAY_US_PLAIN, currency="USD", org=ORG_SOUTH)
ACCOUNT_JPY = _account(3, gateway=GATEWAY_US, currency="JPY", org=ORG_NORTH)
ACCOUNT_EU = _account(4, gateway=GATEWAY_EU, currency="EUR", org=ORG_NORTH)
ACCOUNT_SINGLE = _account(5, gateway=GATEWAY_SINGLE, currency="USD")
ACCOUNT_OTHER = _account(6, gateway=GATEWAY_OTHER, currency="USD")


def _invoice(number: int, *, account: Account, balance: str) -> Invoice:
    return Invoice(
        id=f"2c92c0f9{number:024x}",
        number=f"INV{number:08}",
        account_id=account.id,
        currency=account.currency,
        balance=Decimal(balance),
    )


INVOICE_US = _invoice(1, account=ACCOUNT_US, balance="100.00")
INVOICE_US_SECOND = _invoice(2, account=ACCOUNT_US, balance="42.50")
INVOICE_US_PAID = _invoice(3, account=ACCOUNT_US, balance="0.00")
INVOICE_US_LARGE = _invoice(4, account=ACCOUNT_US, balance="1000000.00")
"""For many payments on one invoice."""
INVOICE_US_SOUTH = _invoice(5, account=ACCOUNT_US_SOUTH, balance="250.00")
INVOICE_JPY = _invoice(6, account=ACCOUNT_JPY, balance="5000")
INVOICE_EU = _invoice(7, account=ACCOUNT_EU, balance="80.00")
INVOICE_SINGLE = _invoice(8, account=ACCOUNT_SINGLE, balance="100.00")
INVOICE_OTHER = _invoice(9, account=ACCOUNT_OTHER, balance="10.00")

CLIENTS = (CLIENT_A, CLIENT_B, CLIENT_C)
GATEWAYS = (GATEWAY_US, GATEWAY_US_PLAIN, GATEWAY_EU, GATEWAY_SINGLE, GATEWAY_OTHER)
ACCOUNTS = (ACCOUNT_US, ACCOUNT_US_SOUTH, ACCOUNT_JPY, ACCOUNT_EU, ACCOUNT_SINGLE, ACCOUNT_OTHER)
INVOICES = (
    INVOICE_US,
    INVOICE_US_SECOND,
    INVOICE_US_PAID,
    INVOICE_US_LARGE,
    INVOICE_US_SOUTH,
    INVOICE_JPY,
    INVOICE_EU,
    INVOICE_SINGLE,
    INVOICE_OTHER,
)


AMAZON_PAY = CustomType(
    internal_name="AmazonPay",
    tenant=TENANT,
    fields=(
        CustomField(name="AmazonAccount", required=True, max_length=255),
        CustomField(name="AmazonToken", required=True, max_length=255),
        CustomField(name="AmazonTokenType", max_length=40),
        CustomField(name="ShopperEmail", max_length=80),
        CustomField(name="ShoppingDate", type="date"),
    ),
    method_reference_id_field="AmazonToken",
)
"""The custom type of Zuora's page of examples."""
UPC_GATEWAY_ID = "4028801a000000000000000000000010"
HUB_PASSWORD = "emulator-hub-password"
ENTITY_TENANTS = {ENTITY_US: "10011", ENTITY_EU: "10012"}
"""Ids of client A's entities as tenants."""


def upc_with(endpoint: str, *, user: str = "zuora", password: str = HUB_PASSWORD) -> UpcConfiguration:
    """Return a set-up with one custom type, and one gateway of the US entity whose hub listens at that address."""
    gateway = UpcGateway(
        id=UPC_GATEWAY_ID,
        name="UPC_Token",
        tenant=TENANT,
        entity=ENTITY_US,
        endpoint=endpoint,
        user=user,
        password=password,
    )
    return UpcConfiguration(types=(AMAZON_PAY,), gateways=(gateway,), entity_tenants=ENTITY_TENANTS)


TENANTS = (
    Tenant(
        id=TENANT,
        entities=(
            Entity(id=ENTITY_US, hub_tenant=ENTITY_TENANTS[ENTITY_US]),
            Entity(id=ENTITY_EU, hub_tenant=ENTITY_TENANTS[ENTITY_EU]),
            Entity(id=ENTITY_SINGLE),
        ),
        orgs=(ORG_NORTH, ORG_SOUTH, ORG_FORBIDDEN),
    ),
    Tenant(id=OTHER_TENANT, entities=(Entity(id=ENTITY_OTHER),)),
)


def fixtures(upc: UpcConfiguration | None = None) -> Fixtures:
    """Return the world of an emulator that is given no other.

    Args:
        upc: Custom types and gateways that call a hub; None: no types and no gateways.
    """
    return Fixtures(
        tenants=TENANTS,
        clients=CLIENTS,
        gateways=GATEWAYS,
        accounts=ACCOUNTS,
        invoices=INVOICES,
        upc=upc or UpcConfiguration(entity_tenants=ENTITY_TENANTS),
    )
