"""Settings of the store, and of the keys that protect what is in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import SplitResult, urlsplit

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import count, seconds

_DEFAULT_PORT: Final = 6379


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where intents are remembered."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    kind: Literal["memory", "redis"] = "memory"
    """In this process, for one replica that may forget everything at a restart; or in Redis, for all replicas."""
    max_entries: Annotated[int, count(1_000, 10_000_000, "records")] = 100_000
    """Memory: records held at most. Beyond it nothing new is stored; nothing is ever evicted."""
    url: str = ""
    """Redis: redis://host:port/database, or rediss:// for TLS. No user or password in it, no Redis Cluster."""
    username: str = ""
    """Redis: the ACL user. It needs +eval +get +set +getrange +del +info +wait on the keys below prefix; empty: the
    default user."""
    password_file: str = ""
    """Redis: file that holds the password; trailing white space is dropped; empty: none is sent."""
    ca_file: str = ""
    """Redis with TLS: PEM file of certificate authorities; empty: those of the system."""
    client_certificate_file: str = ""
    """Redis with TLS: PEM file of a certificate chain and its key to show to the server; empty: none."""
    prefix: str = "payorch:"
    """Redis: what every key begins with, so that others may share the database. Changing it forgets every intent."""
    connect_timeout_s: Annotated[float, seconds(0.1, 10)] = 1.0
    """Redis: time for DNS, TCP, TLS and authentication; a call that fails here is known not to have been sent."""
    operation_timeout_s: Annotated[float, seconds(0.1, 10)] = 0.5
    """Redis: time for one operation, after which its effect is unknown. A healthy one takes a millisecond."""
    max_connections: Annotated[int, count(1, 10_000, "connections")] = 50
    """Redis: connections of this process; an operation waits for a free one within connect_timeout_s."""
    min_replicas: Annotated[int, count(0, 10, "replicas")] = 0
    """Redis: replicas that must acknowledge a write, or the write counts as unknown. It makes losing an acknowledged
    write at a failover unlikely, at the price of their latency and of depending on them."""

    @property
    def address(self) -> tuple[str, int, int]:
        """Host, port and database that `url` names."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or _DEFAULT_PORT, int(parts.path.strip("/") or 0)

    @property
    def tls(self) -> bool:
        """Whether `url` asks for TLS."""
        return urlsplit(self.url).scheme == "rediss"


@dataclass(frozen=True, slots=True)
class KeySettings:
    """A secret key that all replicas share."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    id: str
    """Name of the key in records, without `|`; never used again for another secret."""
    file: str
    """File that holds one line: at least 32 random bytes in base64, as `openssl rand -base64 32` writes it. White space
    around it does not count."""


def problems(settings: StoreSettings) -> Iterator[str]:
    """Say what is wrong with the settings, each sentence beginning with the setting's name."""
    if settings.kind == "redis":
        yield from _url_problems(settings)
        return
    for name in ("url", "username", "password_file", "ca_file", "client_certificate_file"):
        if getattr(settings, name):
            yield f"{name}: has an effect with kind: redis only; set kind: redis, or remove it"


def _url_problems(settings: StoreSettings) -> Iterator[str]:
    try:
        parts = urlsplit(settings.url)
        usable = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and _is_database(parts)
    except ValueError:
        usable = False
        parts = SplitResult("", "", "", "", "")
    if "@" in settings.url:
        yield "url: must not hold a user or password; they belong in username and password_file"
    elif not usable:
        yield "url: must be such as redis://host:6379/0, or rediss:// for TLS"
    elif parts.scheme == "redis" and (settings.ca_file or settings.client_certificate_file):
        yield "url: must begin with rediss:// when ca_file or client_certificate_file is given"
    if settings.username and not settings.password_file:
        yield "password_file: is needed with username"


def _is_database(parts: SplitResult) -> bool:
    """Tell whether the address is a host, perhaps a port, perhaps the number of a database, and nothing else."""
    path = parts.path.strip("/")
    port_is_usable = parts.port is None or parts.port > 0
    return (
        (not path or (path.isascii() and path.isdigit())) and not parts.query and not parts.fragment and port_is_usable
    )
