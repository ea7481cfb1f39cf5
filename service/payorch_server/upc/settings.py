"""Settings of the hub that Zuora's Universal Payment Connector calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Switch, count, seconds

TokenDataForm: TypeAlias = Literal["string", "object"]


@dataclass(frozen=True, slots=True)
class HubTlsSettings:
    """The certificate that the hub shows to Zuora."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    certificate_file: str
    """PEM file of the certificate and its chain; read again when it changes."""
    key_file: str
    """PEM file of the private key, without a passphrase."""


@dataclass(frozen=True, slots=True)
class HubCredentialSettings:
    """One generation of the credentials that Zuora presents."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    user: str
    """User name, without a colon."""
    password_file: str
    """File that holds the password, without `|`, which Zuora does not take; read again when it changes."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """One endpoint for Zuora, `POST /upc/NAME`: what one gateway instance in Zuora is configured to call."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    tenants: tuple[str, ...]
    """Ids of the Zuora tenants that may call it. With Multi-entity also the id of each sub-entity that does."""
    credentials: tuple[HubCredentialSettings, ...]
    """One or two generations: add the new one first, remove the old one 72 hours after Zuora uses the new one."""
    enabled: Switch = True
    """Whether requests reach gateways. Switched off, new requests are refused, and earlier ones stay as they are."""
    token_data_form: TokenDataForm = "string"  # noqa: S105 - a form, no secret
    """How answers carry `upcTokenData`: as a JSON string, as in Zuora's examples, or as an object."""
    max_in_flight: Annotated[int, count(1, 10_000, "calls")] = 500
    """Requests in progress; those beyond it are answered 503, which leaves them in Processing."""


@dataclass(frozen=True, slots=True)
class PluginTlsSettings:
    """TLS towards a gateway's plug-in."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    ca_file: str = ""
    """PEM file of certificate authorities; empty: those that gRPC brings along."""
    certificate_file: str = ""
    """PEM file of the certificate that the hub shows, for mutual TLS; empty: none."""
    key_file: str = ""
    """PEM file of its private key."""


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """A payment gateway that is plugged in: a service that implements `payorch.v1.PaymentGatewayService`."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    hub: str
    """Name of the hub through which it is called."""
    names: tuple[str, ...]
    """Names of the gateway instances in Zuora, the requests' `paymentGatewayName`."""
    types: tuple[str, ...]
    """Full types of custom payment methods, such as AmazonPay__c_12368, compared without case. With Multi-entity the
    suffix is the id of the parent tenant."""
    target: str
    """gRPC target, such as dns:///amazon-gateway.pay:50051."""
    tls: PluginTlsSettings | None = None
    """None: plaintext."""
    enabled: Switch = True
    """Whether it is called. Switched off, new requests are refused, and earlier ones stay as they are."""
    limit_s: Annotated[float, seconds(5, 45)] = 45.0
    """How long a request may take from its first byte to the answer; the plug-in gets a second less than is left."""
    max_in_flight: Annotated[int, count(1, 10_000, "calls")] = 100
    """Calls in progress; those beyond it are answered 503."""


@dataclass(frozen=True, slots=True)
class UpcSettings:
    """The hub: where it listens, who may call it, and the gateways that are plugged in."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    hubs: Mapping[str, HubSettings]
    """Endpoints by name."""
    gateways: Mapping[str, PluginSettings]
    """Gateways by name."""
    listen: str = "127.0.0.1:8443"
    """Host and port; port 0 takes a free one."""
    tls: HubTlsSettings | None = None
    """None: plaintext, which needs `plaintext_behind_proxy` unless the address is a loopback address."""
    plaintext_behind_proxy: Switch = False
    """Whether a proxy in front of the hub ends TLS."""
    allow: tuple[str, ...] = ()
    """Networks that may call, such as 198.51.100.0/24: Zuora publishes its outbound addresses. Empty: all."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies whose X-Forwarded-For is believed: its last address outside of them is the caller's."""
    keep_results_days: Annotated[int, count(30, 3_650, "days")] = 400
    """How long results and ids are kept. A request that comes later under the same id reaches the gateway again."""
    accept_memory_store: Switch = False
    """Let money move although requests are recorded in this process only; for tests and laptops."""
    drain_wait_s: Annotated[float, seconds(0, 60)] = 5.0
    """Time for load balancers to notice that the hub is not ready, before it stops accepting connections."""
    idle_timeout_s: Annotated[float, seconds(5, 3_600)] = 75.0
    """How long a connection without a request is kept."""
