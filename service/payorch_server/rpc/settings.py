from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from payorch_server.intents.executor import EXECUTION_LIMIT_S
from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Switch, count, seconds, size


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS of a gRPC listener, version 1.2 or 1.3. Changed files are used from the next handshake on."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    certificate_file: str
    """PEM file of the listener's certificate, those of intermediate authorities after it."""
    key_file: str
    """PEM file of its private key, without a password."""
    client_ca_file: str = ""
    """PEM file of the authorities whose certificates callers must present; empty: none is requested, and callers are
    identified by a token or not at all."""


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """The gRPC listener."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    listen: str = "127.0.0.1:50051"
    """Host and port; port 0 takes a free one."""
    tls: TlsSettings | None = None
    """None: plaintext."""
    plaintext_beyond_loopback: Switch = False
    """Allow plaintext on an address that other machines can reach, where a mesh or a network protects it."""
    reflection: Switch = True
    """Whether callers may list the services and their messages."""
    max_request_bytes: Annotated[int, size(8_192, 1_048_576)] = 262_144
    """Larger requests are refused, those of more than twice this size by gRPC itself and without details. The largest
    legitimate one is an Apple Pay token of some kilobytes."""
    max_metadata_bytes: Annotated[int, size(8_192, 65_536)] = 16_384
    """Connections whose calls send more metadata are refused by gRPC itself."""
    max_streams_per_connection: Annotated[int, count(1, 10_000, "calls")] = 1000
    """Concurrent calls on one connection. Clients queue further ones; those opened before a client has learnt the limit
    are refused by gRPC itself, so it should be no smaller than max_calls_in_progress."""
    max_calls_in_progress: Annotated[int, count(1, 10_000, "calls")] = 1000
    """Concurrent calls on all connections; further ones are refused before anything is sent."""
    max_start_delay_s: Annotated[float, seconds(0.01, 10)] = 0.5
    """When calls have waited for their start for longer than this without a pause, a part of them is refused: there are
    more than the service can serve, and serving all of them would make all of them late."""
    max_connections: Annotated[int, count(1, 100_000, "connections")] = 2000
    """Connections; further ones are closed at once."""
    max_health_streams: Annotated[int, count(1, 10_000, "streams")] = 200
    """Concurrent watches of the health and streams of reflection; at most 10 on one connection."""
    min_ping_interval_s: Annotated[float, seconds(1, 300)] = 10.0
    """Connections whose clients ping more often, with or without calls, are closed."""
    keepalive_s: Annotated[float, seconds(1, 7_200)] = 60.0
    """How long a connection may be idle before the service pings the client."""
    default_deadline_s: Annotated[float, seconds(1, EXECUTION_LIMIT_S)] = 20.0
    """For calls without a deadline."""
    max_deadline_s: Annotated[float, seconds(1, EXECUTION_LIMIT_S)] = 55.0
    """Cap on every deadline; below the 60 s after which Zuora gives up a connector call."""
    drain_wait_s: Annotated[float, seconds(0, 300)] = 5.0
    """Time from the first SIGTERM until new calls are refused, so that load balancers notice NOT_SERVING."""
    drain_grace_s: Annotated[float, seconds(1, 600)] = 55.0
    """Time for calls in progress to finish after that."""
    max_connection_age_s: Annotated[float, seconds(1, 86_400)] = 300.0
    """Age at which a connection is closed gracefully, so that clients find new replicas; gRPC varies it by a tenth."""


@dataclass(frozen=True, slots=True)
class DiagnosticsSettings:
    """The gRPC listener for operators; limits and reflection are those of grpc."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    listen: str = ""
    """Host and port; port 0 takes a free one. Empty: there is no such listener. On loopback it speaks plaintext: a
    client that comes by `kubectl exec` or `port-forward` has no name to verify. Elsewhere it has the TLS of grpc."""


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """An issuer of callers' tokens: `authorization: Bearer`, signed with RS256, ES256 or EdDSA.

    They are accepted only over TLS or from this machine. The identity is `jwt:`, the issuer's subject_prefix and the
    subject. The issuer's keys come from one of key_set_file, key_set_url and discovery.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA

    issuer: str
    """The required value of iss; with discovery the https URL of the issuer."""
    audience: str
    """The required value of aud, or one of its values."""
    key_set_file: str = ""
    """JSON Web Key Set (RFC 7517) of the issuer's public keys, each with a kid. Changes apply without a restart."""
    key_set_url: str = ""
    """The https URL from which that set is fetched, again and again; no redirect is followed."""
    discovery: Switch = False
    """Whether the URL of the set is taken from the issuer's document, issuer/.well-known/openid-configuration."""
    key_set_hosts: tuple[str, ...] = ()
    """With discovery: hosts, such as keys.example or keys.example:8443, that the document may name beside the
    issuer's."""
    ca_file: str = ""
    """With key_set_url or discovery: PEM file of certificate authorities, read at every fetch; empty: those of the
    system."""
    through_proxy: Switch = False
    """With key_set_url or discovery: whether the keys are fetched through zuora_http.proxy_url, as from an issuer
    outside of the network. false: directly."""
    max_key_age_s: Annotated[float, seconds(3_600, 604_800)] = 86_400.0
    """With key_set_url or discovery: how old the last good set may be that is used while the issuer's server does not
    answer. After that its tokens are refused with CALLER_KEYS_UNAVAILABLE, for a key may have been withdrawn."""
    subject_prefix: str = ""
    """What identities have between `jwt:` and the subject, such as corp: for jwt:corp:checkout. Several issuers need
    one each, and none may begin with another: the same subject of two issuers is two callers."""
    clock_skew_s: Annotated[float, seconds(0, 300)] = 30.0
    """How far the issuer's clock may differ from the service's."""
    max_lifetime_s: Annotated[float, seconds(60, 604_800)] = 86_400.0
    """Longest life of a token: a stolen one ends with it. From iat to exp, or from now where a token has no iat."""


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """A header in which a service mesh names the caller. It is ignored unless it comes from a listed peer."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    peers: tuple[str, ...]
    """Trusted peers: IP networks such as 127.0.0.1/32, or identities of client certificates."""
    header: str = "x-forwarded-client-cert"
    """Name of the header, in lower case."""
    format: Literal["xfcc", "identity"] = "xfcc"
    """Envoy's x-forwarded-client-cert with exactly one element, whose URI or DNS is the identity; or the bare
    identity, which then is `mesh:` and the value."""


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """How callers are authenticated: a token has precedence over the mesh, the mesh over a certificate."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    jwt: Mapping[str, JwtSettings] = field(default_factory=dict)
    """Issuers of tokens by a name of your choice. Empty: tokens are ignored."""
    mesh: MeshSettings | None = None
    """None: such headers are ignored."""
