"""Addresses of listeners and of what is called, and the networks that may reach them."""

import ipaddress
import re
from typing import Final

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def split_address(listen: str) -> tuple[str, int] | None:
    """Return host and port of `host:port` or `[v6]:port`, or None if it is neither."""
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        return None
    return host.removeprefix("[").removesuffix("]"), int(port)


def can_be_called(address: str) -> bool:
    """Return whether the address is `host:port` or `[v6]:port` with a port that a connection can be made to."""
    parts = split_address(address)
    return parts is not None and parts[1] > 0 and _HOST.fullmatch(parts[0]) is not None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a listener on the host, as far as its text shows.

    An IPv4 address that is mapped into IPv6 never counts: interpreters differ in whether 127.0.0.1 so written does.
    """
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network that a text such as 198.51.100.0/24 names, or None if it names none.

    A single address is a network of one. Bits of a host beyond the prefix are refused: they may be a slip in either.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
