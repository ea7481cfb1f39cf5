"""The tenant of Zuora's page of examples, as the emulator may have it."""

from decimal import Decimal

from contract.scripted_hub import EXAMPLES
from zuora_emulator import CustomField, CustomType, UpcConfiguration, UpcGateway
from zuora_emulator.state import Account, Client

TENANT, ENTITY = "12368", "55555555-5555-4555-8555-555555555555"
CLIENT = Client(
    name="Z",
    client_id="emulator-client-z-000000000000000026",
    client_secret="emulator-secret-z",
    tenant=TENANT,
    entities=(ENTITY,),
    multi_org=False,
)
PASSWORD = "emulator-hub-password"
GATEWAY_ID = "4028801a000000000000000000000099"


def set_up_of_the_examples(endpoint: str, gateway_name: str, *, password: str = PASSWORD) -> UpcConfiguration:
    """Return its custom type, and its gateway with a hub at that address."""
    fields = tuple(CustomField(name=name) for name in EXAMPLES["Payment"]["request"]["paymentMethod"]["upcTokenData"])
    gateway = UpcGateway(
        id=GATEWAY_ID,
        name=gateway_name,
        tenant=TENANT,
        entity=ENTITY,
        endpoint=endpoint,
        user="zuora",
        password=password,
        default_auth_amount=Decimal(1),
    )
    return UpcConfiguration(
        types=(CustomType(internal_name="AmazonPay", tenant=TENANT, fields=fields),), gateways=(gateway,)
    )


def account_with(number: str) -> Account:
    """Return an account in dollars of this tenant."""
    return Account(
        id="2c92c0f8000000000000000000000099",
        number=number,
        tenant=TENANT,
        entity=ENTITY,
        org=None,
        name="Example",
        currency="USD",
        gateway_id=GATEWAY_ID,
    )
