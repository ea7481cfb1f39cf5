"""Which targets a client accepts. What is wrong with one is found before anything is sent."""

from typing import Final

_SCHEMES: Final = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds", "passthrough")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_MAX_PORT: Final = 65_535


def checked_target(target: str, *, tls: bool, plaintext: bool, with_token: bool) -> str:
    """Return a target that gRPC resolves to every address of a name, so that round robin has something to choose from.

    Args:
        target: `host:port`, or any target of gRPC with its scheme, which is left as it is.
        tls: Whether the caller says what it wants of TLS.
        plaintext: Whether the caller wants none.
        with_token: Whether calls will carry the caller's token.

    Raises:
        ValueError: It is no target, TLS and plaintext are both asked for, or a token would be sent in plaintext beyond
            this machine.
    """
    if plaintext and tls:
        raise ValueError("plaintext: tls is given as well; choose one")
    resolved = _resolved(target)
    if plaintext and with_token and not _is_loopback(resolved):
        raise ValueError("token: it would be sent in plaintext beyond this machine; use TLS")
    return resolved


def _resolved(target: str) -> str:
    if not target:
        raise ValueError("target: it is empty; write host:port, such as payorch:50051")
    if not target.isprintable() or " " in target:
        raise ValueError(f"target: {target!r} contains blanks or control characters")
    scheme = target.partition(":")[0]
    if scheme in {"http", "https"}:
        raise ValueError(f"target: {target!r} is the address of a web page; write host:port")
    if scheme in _SCHEMES and not target.removeprefix(f"{scheme}:").isdecimal():
        return target
    host, colon, port = target.rpartition(":")
    if not colon or not host:
        raise ValueError(f"target: {target!r} needs a host and a port, such as payorch:50051")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"target: {target!r} needs brackets around its IPv6 address, such as [::1]:50051")
    if "/" in host or "@" in host:
        raise ValueError(f"target: {target!r} is more than host:port")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _MAX_PORT):
        raise ValueError(f"target: {target!r} needs a port from 1 to {_MAX_PORT}")
    return f"dns:///{target}"


def _is_loopback(target: str) -> bool:
    scheme, _, rest = target.partition(":")
    if scheme in {"unix", "unix-abstract"}:
        return True
    addresses = (rest if scheme in {"dns", "ipv4", "ipv6"} else target).removeprefix("///").split(",")
    return all(address.rpartition(":")[0] in _LOOPBACK for address in addresses)
