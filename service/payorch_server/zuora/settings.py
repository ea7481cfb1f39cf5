"""Settings of tenants and of the HTTP client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Switch, count, seconds, size

ENVIRONMENTS: Final = {
    "us1_production": "https://rest.na.zuora.com",
    "us2_production": "https://rest.zuora.com",
    "eu_production": "https://rest.eu.zuora.com",
    "ap_production": "https://rest.ap.zuora.com",
    "us1_api_sandbox": "https://rest.sandbox.na.zuora.com",
    "us2_api_sandbox": "https://rest.apisandbox.zuora.com",
    "eu_api_sandbox": "https://rest.sandbox.eu.zuora.com",
    "us_central_sandbox": "https://rest.test.zuora.com",
    "eu_central_sandbox": "https://rest.test.eu.zuora.com",
    "ap_central_sandbox": "https://rest.test.ap.zuora.com",
}
"""Zuora's hosts. Source: Zuora, "Introduction to the API", endpoints table (read 2026-11-20)."""


def _host_of(origin: str) -> str:
    return origin.partition("://")[2]


def _hosts(*, production: bool) -> frozenset[str]:
    return frozenset(
        _host_of(origin) for name, origin in ENVIRONMENTS.items() if name.endswith("_production") is production
    )


PRODUCTION_HOSTS: Final = _hosts(production=True)
SANDBOX_HOSTS: Final = _hosts(production=False)


@dataclass(frozen=True, slots=True)
class ZuoraHttpSettings:
    """The HTTP client, shared by all tenants."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    connect_timeout_s: Annotated[float, seconds(0.1, 10)] = 2.0
    """Time for DNS, TCP and TLS; a failure here is known not to have sent anything."""
    keepalive_s: Annotated[float, seconds(1, 300)] = 15.0
    """How long an idle connection is kept; short, so that Zuora's edge seldom closes one first."""
    ca_file: str = ""
    """PEM file of certificate authorities; empty: those of the system."""
    proxy_url: str = ""
    """HTTP proxy between this service and Zuora, such as http://proxy.internal:3128, for every request. TLS
    passes through a tunnel that it makes by CONNECT. Empty: none, whatever the environment names."""
    proxy_username: str = ""
    """Of HTTP's Basic authentication at the proxy; empty: none."""
    proxy_password_file: str = ""
    """File that holds the password, with proxy_username."""
    max_clock_offset_s: Annotated[float, seconds(1, 300)] = 60.0
    """How far Zuora's clock may differ from ours, by the Date of its answers, because time guards intents. Beyond, a
    tenant does not become ready, and after three answers in a row of two operations its payments are refused."""
    extra_hosts: tuple[str, ...] = ()
    """Hosts that a tenant's base_url may name beside this machine and Zuora's sandboxes, such as an emulator in a test
    cluster. A change of tenants alone cannot send credentials elsewhere."""
    gzip_over_bytes: Annotated[int, size(1_024, 16_777_216)] = 8192
    """Request bodies larger than this are compressed; those of token requests never are so large."""
    max_answer_bytes: Annotated[int, size(65_536, 16_777_216)] = 1_048_576
    """Bodies that are larger, or unpack to more, are unreadable; their status and headers count."""
    send_traceparent: Switch = False
    """Whether requests carry the attempt's W3C trace context. Zuora's pages name no such header; the Track-Id is how
    Zuora's support finds a call."""


@dataclass(frozen=True, slots=True)
class PathSettings:
    """The paths of Zuora's operations; to be changed only if a tenant differs from the documents."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    token: str = "/oauth/token"  # noqa: S105 - a path
    """Requests for OAuth tokens."""
    sessions: str = "/web-payments/sessions"
    """Payment sessions. Without /v1, as every version of Zuora's page has it."""
    decryption: str = "/v1/payment-methods/decryption"
    """Decryption of Apple Pay tokens."""
    payment_methods: str = "/v2/payment_methods"
    """Creation of payment methods, by Zuora's Quickstart operation."""
    payment_methods_v1: str = "/v1/payment-methods"
    """Creation of payment methods of the types that only v1 can create."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """A payment gateway instance of a tenant."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    id: str
    """Zuora's id, 32 hexadecimal digits; sessions and payment methods name the gateway by it."""
    label: str
    """The instance's name in Zuora; the decryption operation names the gateway by it."""


@dataclass(frozen=True, slots=True)
class DeclineSettings:
    """How a tenant's gateways decline a payment that Zuora reports as an internal fault."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    code: str
    """Zuora's code, of category 60, such as "53000060"."""
    message: str
    """How the message begins, 8 characters at least, such as "Transaction declined."; case matters."""


Declines = tuple[DeclineSettings, ...]


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A Zuora tenant and the credentials for it."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    client_id: str
    """OAuth client id, 36 characters."""
    client_secret_file: str
    """File that holds the OAuth client secret, characters from 0x20 to 0x7E; white space around it is dropped. It is
    watched: a new secret is used as soon as Zuora has issued a token for it, and calls in progress end with the one
    before."""
    previous_client_ids: tuple[str, ...] = ()
    """Earlier OAuth clients of this same tenant; intents that they left unsettled continue with the present one."""
    environment: str = ""
    """One of the built-in environments; or give base_url."""
    base_url: str = ""
    """Another non-production host, of zuora_http.extra_hosts, by https; or this machine, by http as well."""
    zuora_version: str = "2025-08-12"
    """Zuora-Version on v1 paths. Outcomes depend on it: before 2024-05-20 errors arrive with status 200."""
    entities: Mapping[str, str] = field(default_factory=dict)
    """Name to Zuora id: 32 hexadecimal digits or a UUID, sent as a UUID. Empty: a single-entity tenant, no header is
    sent."""
    orgs: Mapping[str, str] = field(default_factory=dict)
    """Name to Zuora id; a UUID is sent as its 32 hexadecimal digits. Empty: Multi-Org is off, no header is sent."""
    gateways: Mapping[str, GatewaySettings] = field(default_factory=dict)
    """Name to gateway instance."""
    token_scope: Literal["client", "entity"] = "client"  # noqa: S105 - not a password
    """Whether one token serves all entities of the client, or one is requested per entity."""
    legacy_session_amount: Switch = False
    """Send authAmount in place of amount when a session only stores a method (the older form of the page)."""
    max_in_flight: Annotated[int, count(1, 10_000, "calls")] = 40
    """Calls that a replica may have in flight, for each entity; further ones wait for their turn. Each has a connection
    of its own, which no other tenant or entity can take. Zuora's own limit is 40 for the whole tenant, or for each of
    its entities: divide it by the number of replicas."""
    max_queue_s: Annotated[float, seconds(0, 55)] = 5.0
    """How long a call may wait for its turn, before it is refused without having been sent."""
    switched_off: tuple[str, ...] = ()
    """Names of RPCs, such as DecryptApplePay, that send nothing to this tenant: the kill switch."""
    declines: Declines = ()
    """Answers that mean that a payment was declined, and nothing was created or paid. None by default: add a pair only
    after Zuora's support has confirmed it for this tenant. Answers with an id or a second code, and attempts after one
    that is in doubt, never count."""
    paths: PathSettings = PathSettings()
    """The paths of the operations."""

    @property
    def origin(self) -> str:
        """Scheme, host and port of the tenant."""
        return ENVIRONMENTS.get(self.environment, self.base_url).rstrip("/")

    @property
    def host(self) -> str:
        """Host and port of the tenant."""
        return _host_of(self.origin)
