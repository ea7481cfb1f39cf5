"""Where a client connects to, and with what."""

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

import grpc

SERVICE_CONFIG: Final = files("payorch").joinpath("service_config.json").read_text(encoding="utf-8")
"""The published gRPC service config: round robin, health, retries that the contract allows, throttling."""
_KEEPALIVE_MS: Final = 30_000
"""Between two pings of a connection in use; the service allows one every 10 s."""
_KEEPALIVE_TIMEOUT_MS: Final = 10_000
_SCHEMES: Final = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds", "passthrough")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Tls:
    """What is believed of the service, and what is shown to it."""

    ca: bytes | None = None
    """PEM of the authorities to believe; None: those that gRPC ships with."""
    certificate: bytes | None = None
    """PEM of the client's certificate, intermediate ones after it; None: none is shown."""
    key: bytes | None = field(default=None, repr=False)
    """PEM of its private key."""

    @classmethod
    def from_files(cls, *, ca_file: str = "", certificate_file: str = "", key_file: str = "") -> "Tls":
        """Read PEM files; an empty name means none.

        Raises:
            OSError: A file cannot be read.
        """
        parts = (Path(name).read_bytes() if name else None for name in (ca_file, certificate_file, key_file))
        return cls(*parts)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return what a channel takes."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)


def checked_target(target: str, *, tls: Tls | None, plaintext: bool, with_token: bool) -> str:
    """Return a target that gRPC resolves to every address of a name, so that round robin has something to choose from.

    Args:
        target: `host:port`, or any target of gRPC with its scheme, which is left as it is.
        tls: What the caller wants of TLS.
        plaintext: Whether the caller wants none.
        with_token: Whether calls will carry the caller's token.

    Raises:
        ValueError: TLS and plaintext are both asked for, or a token would go out in plaintext beyond this machine.
    """
    if plaintext and tls is not None:
        raise ValueError("plaintext: tls is given as well; choose one")
    if plaintext and with_token and not _is_loopback(target):
        raise ValueError("token: it would go out in plaintext beyond this machine; use TLS")
    return target if target.partition(":")[0] in _SCHEMES else f"dns:///{target}"


def _is_loopback(target: str) -> bool:
    scheme, _, rest = target.partition(":")
    if scheme in {"unix", "unix-abstract"}:
        return True
    addresses = (rest if scheme in {"dns", "ipv4", "ipv6"} else target).removeprefix("///").split(",")
    return all(address.rpartition(":")[0] in _LOOPBACK for address in addresses)


def options(service_config: str) -> tuple[tuple[str, str | int], ...]:
    """Return the channel's options."""
    return (
        ("grpc.service_config", service_config),
        # A config that DNS could deliver is not ours.
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
    )
