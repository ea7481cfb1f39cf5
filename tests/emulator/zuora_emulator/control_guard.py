"""Keeps web pages of other origins from using the control endpoints through a developer's browser.

A page can make a browser send a POST to any address, `localhost` among them, and with a name of its own that it lets
point there (DNS rebinding) even as a request to its own origin. Programs are not concerned: they send no `Origin`, no
`Sec-Fetch-Site`, and not the `User-Agent` of a browser.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from zuora_emulator.settings import Settings

_LOCAL_SUFFIXES = frozenset({"internal", "local", "localhost", "test"})
"""Last parts of names that the public name system does not have."""
_PORTS = {"http": 80, "https": 443}


def foreign_page(headers: Mapping[str, str], settings: Settings) -> str:
    """Return why a request is none of the emulator's own page or of a program; empty if it is one."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in {None, "none", "same-origin"} or (site is None and origin and not _is_same(origin, headers)):
        sender = f"a page of {origin[:100]}" if origin else f"a {site} page"
        return f"Control endpoints are for programs and for the emulator's own page; this request is from {sender}."
    name = _parts(f"//{headers.get('host', '')}")[0]
    # A browser sends no `Origin` with a GET to its page's own host, and `Sec-Fetch-Site` not to every host.
    is_browser = origin or site or headers.get("user-agent", "").startswith("Mozilla/")
    if is_browser and not _is_local(name) and name not in (settings.control_hosts or "").lower().split(","):
        return (
            f"A browser asks at {name}, which any page can have let point here; "
            f"add the name to the switch control_hosts if it is yours."
        )
    return ""


def _is_same(origin: str, headers: Mapping[str, str]) -> bool:
    """Whether an origin is the host that was asked, whatever TLS a proxy has ended on the way."""
    scheme = origin.partition(":")[0].lower()
    usual = _PORTS.get(scheme)
    name, port = _parts(origin)
    asked_name, asked_port = _parts(f"//{headers.get('host', '')}")
    return bool(usual and name) and (name, port or usual) == (asked_name, asked_port or usual)


def _parts(address: str) -> tuple[str, int | None]:
    """Return name and port of an address, nothing if it is none."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def _is_local(name: str) -> bool:
    """Whether a name cannot be one of the public name system: an address, a name without dots, a reserved suffix."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.rpartition(".")[2] in _LOCAL_SUFFIXES
    return True
