"""What is set up in Zuora for the Universal Payment Connector: custom types, and gateways that call a hub.

Sure, because documented: the limits of types and fields, the reserved names, https, a registered name and port 443 for
the endpoint, HTTP basic credentials, no `|` in settings. Not sure: what Zuora says about a breach; the texts are ours.

Source: Zuora v1 API reference, "Custom payment method types"; Zuora documentation, "Set up a payment hub", "Set up a
custom payment gateway" and "Zuora-reserved fields", read 2026-11.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from zuora_emulator.state import Gateway

FieldType = Literal["string", "date", "datetime", "number", "boolean"]

MOST_TYPES = 20
"""Per tenant."""
MOST_FIELDS = 20
LONGEST_VALUE = 8_000
RESERVED_FIELDS = frozenset(
    """
    AchCity AccountId accountKey accountNumber BAID bankIdentificationNumber cardHolderInfo createdBy createdDate
    deviceSessionId existingMandate id IPAddress IsCompany isDefault lastFailedSaleTransactionDate lastTransaction
    lastTransactionDateTime lastTransactionStatus maxConsecutivePaymentFailures MethodReferenceId MethodSpecificData
    mitConsentAgreementRef mitConsentAgreementSrc mitNetworkTransactionId mitProfileAction mitProfileAgreedOn
    mitProfileType numConsecutiveFailures paymentRetryWindow status SubType success TokenId totalNumberOfErrorPayments
    totalNumberOfProcessedPayments type updatedBy updatedDate useDefaultRetryRule UserReferenceId
    """.lower().split()
)
"""Names, in lower case, that no field of a custom type may have."""
_HTTPS_PORT = 443
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,18}")
_FIELD_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,29}")


class UpcConfigurationError(ValueError):
    """Zuora would not accept this set-up; the message has one sentence for each problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """One field of a custom type."""

    name: str
    """As defined, with a capital first letter; operations of the API use `member`."""
    type: FieldType = "string"
    required: bool = False
    min_length: int = 0
    """Of a string, in characters."""
    max_length: int = LONGEST_VALUE

    @property
    def member(self) -> str:
        """The name in "Create a payment method": the first letter is lower case."""
        return self.name[:1].lower() + self.name[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomType:
    """A published custom payment method type."""

    internal_name: str
    tenant: str
    """Id of the tenant; with Multi-entity that of the parent."""
    fields: tuple[CustomField, ...]
    method_reference_id_field: str = ""
    """Name of the field that identifies a method; empty: the first."""

    @property
    def full_name(self) -> str:
        """What `type` of a payment method is."""
        return f"{self.internal_name}__c_{self.tenant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcGateway:
    """A gateway instance of the kind "UPC Token Gateway"."""

    id: str
    name: str
    """What a hub reads as `paymentGatewayName`."""
    tenant: str
    entity: str
    endpoint: str
    """Where the hub listens."""
    user: str
    password: str = field(repr=False)
    default_auth_amount: Decimal = Decimal(1)
    """What a validation authorizes."""
    verifies_new_methods: bool = True
    """Whether creating a method calls the hub."""

    def as_gateway(self) -> Gateway:
        """Return the gateway instance as the operations of the API look it up."""
        return Gateway(id=self.id, name=self.name, tenant=self.tenant, entity=self.entity, stored_credentials=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcConfiguration:
    """The set-up of all tenants."""

    types: tuple[CustomType, ...] = ()
    gateways: tuple[UpcGateway, ...] = ()
    entity_tenants: Mapping[str, str] = field(default_factory=dict)
    """Ids of sub-entities as tenants, by entity; used where the switch `upc_tenant_id` is `own`."""

    def check(self, *, allow_local: bool) -> None:
        """Check everything.

        Args:
            allow_local: Whether an endpoint may be anything that can be called, such as http on a loopback address.

        Raises:
            UpcConfigurationError: Zuora would refuse it; all problems at once.
        """
        problems = [*self._problems_of_types(), *self._problems_of_gateways(allow_local=allow_local)]
        if problems:
            raise UpcConfigurationError(" ".join(problems))

    def _problems_of_types(self) -> Iterator[str]:
        for tenant, count in Counter(custom.tenant for custom in self.types).items():
            if count > MOST_TYPES:
                yield f"Tenant {tenant} has {count} custom types; Zuora allows {MOST_TYPES}."
        # Full types are compared without case: Zuora's own samples differ in it.
        for name, count in Counter(custom.full_name.lower() for custom in self.types).items():
            if count > 1:
                yield f"The custom type {name} is defined {count} times."
        for custom in self.types:
            yield from problems_of_type(custom)

    def _problems_of_gateways(self, *, allow_local: bool) -> Iterator[str]:
        for gateway in self.gateways:
            yield from problems_of_gateway(gateway, allow_local=allow_local)


def problems_of_gateway(gateway: UpcGateway, *, allow_local: bool) -> Iterator[str]:
    """Give a sentence for each thing that Zuora would not accept in a gateway."""
    problem = endpoint_problem(gateway.endpoint, allow_local=allow_local)
    if problem:
        yield f"The endpoint of the gateway {gateway.name} {problem}."
    if "|" in f"{gateway.name}{gateway.endpoint}{gateway.user}{gateway.password}":
        yield f"A setting of the gateway {gateway.name} has the character |, which Zuora does not accept."
    if not gateway.user or ":" in gateway.user:
        yield f"The user of the gateway {gateway.name} must not be empty nor have a colon."


def problems_of_type(custom: CustomType) -> Iterator[str]:
    """Give a sentence for each thing that Zuora would not accept in a custom type."""
    name = custom.internal_name
    if not _TYPE_NAME.fullmatch(name):
        yield f"The custom type {name!r} must have 1 to 19 letters and digits, the first a capital letter."
    if not 1 <= len(custom.fields) <= MOST_FIELDS:
        yield f"The custom type {name} has {len(custom.fields)} fields; Zuora allows 1 to {MOST_FIELDS}."
    names = [own.name for own in custom.fields]
    if len({own.lower() for own in names}) < len(names):
        yield f"The custom type {name} has two fields of one name."
    if custom.method_reference_id_field and custom.method_reference_id_field not in names:
        yield f"The field that identifies a method of {name} is none of its fields."
    for own in custom.fields:
        yield from (f"The field {own.name} of {name} {problem}." for problem in _problems_of_field(own))


def _problems_of_field(own: CustomField) -> Iterator[str]:
    if not _FIELD_NAME.fullmatch(own.name):
        yield "must have 1 to 30 letters and digits, the first a capital letter"
    if own.name.lower() in RESERVED_FIELDS:
        yield "has a name that Zuora reserves"
    if not 1 <= own.max_length <= LONGEST_VALUE:
        yield f"must have a largest length from 1 to {LONGEST_VALUE}"
    if not 0 <= own.min_length <= own.max_length:
        yield "must have a smallest length from 0 to its largest"


def endpoint_problem(url: str, *, allow_local: bool) -> str:
    """Return what Zuora would not accept in an endpoint, as the end of a sentence; empty if it would accept it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "must be an address with https"
    try:
        port = parts.port
    except ValueError:
        return "has a port that is no number"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be an address with https"
    return "" if allow_local else _problem_of_public_endpoint(parts, port)


def _problem_of_public_endpoint(parts: SplitResult, port: int | None) -> str:
    if parts.scheme != "https":
        return "must use https"
    if not _is_registered_name(parts.hostname or ""):
        return "must have a registered name, not an IP address or a local name"
    if port not in {None, _HTTPS_PORT}:
        return f"must use port {_HTTPS_PORT}"
    return ""


def _is_registered_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host.strip(".")
    return False
