"""Where the public keys of an issuer of tokens are fetched from, and what the answers may say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from payorch_server.model.proxy import Proxy
from payorch_server.runtime.interpreter_defaults import read_json

MIN_FRESH_S: Final = 60.0
MAX_FRESH_S: Final = 3600.0
DEFAULT_FRESH_S: Final = 300.0
"""When an answer does not say how long it is fresh."""
_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
# Narrower than RFC 3986, so that no two readers can see different hosts in one text.
_URL: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_MAX_URL_CHARACTERS: Final = 2048
_HTTPS_PORT: Final = 443
_MAX_PORT: Final = 65535
_DIRECTIVE: Final = re.compile(r'\s*(?P<name>[!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:="?(?P<value>[^",]*)"?)?\s*')
_SECONDS: Final = re.compile(r"[0-9]{1,10}")


class KeyFetchError(Exception):
    """Keys that could not be fetched; the text says what was wrong, for operators."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the keys of one issuer come from."""

    issuer: str
    """The value of iss in its tokens; a discovery document must name the same."""
    url: str = ""
    """Of the key set; empty: it is found by OIDC discovery at the issuer."""
    hosts: frozenset[str] = frozenset()
    """What else than the issuer's host a discovered URL may name, as `host:port`."""
    ca_file: str = ""
    """Of trusted authorities, in PEM form; empty: the system's."""
    proxy: Proxy | None = None
    max_age_s: float = 86_400.0
    """How old keys may be that are still used."""

    @property
    def discovery_url(self) -> str:
        """Where the discovery document is. Source: OpenID Connect Discovery 1.0, 4.1."""
        return f"{self.issuer.removesuffix('/')}{_DISCOVERY_PATH}"


def host_and_port(url: str) -> str | None:
    """Return host and port of a URL from which keys may be fetched, such as `id.example:443`; None for others.

    It must be https, without a user, a fragment or anything that could be read in two ways.
    """
    match = _URL.fullmatch(url) if len(url) <= _MAX_URL_CHARACTERS else None
    if match is None:
        return None
    port = int(match["port"] or _HTTPS_PORT)
    return f"{match['host'].lower()}:{port}" if 0 < port <= _MAX_PORT else None


def with_port(host: str) -> str | None:
    """Return `host:port` of a host with or without a port, whose default is that of https; None if it is no host."""
    return host_and_port(f"https://{host}") if "/" not in host and "?" not in host else None


def key_set_url(document: bytes, source: KeySource) -> str:
    """Return the URL of the key set that a discovery document names.

    Raises:
        KeyFetchError: It is not the document of this issuer, or its URL may not be used.
    """
    # 1. A JSON object.
    try:
        content: Any = read_json(document)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise KeyFetchError("the discovery document is not a JSON object")
    # 2. Of this issuer: another one must not be able to speak for it.
    if content.get("issuer") != source.issuer:
        raise KeyFetchError(f"the discovery document is of another issuer than {source.issuer}")
    # 3. With a URL at a host that the configuration allows.
    url = content.get("jwks_uri")
    named = host_and_port(url) if isinstance(url, str) else None
    if not isinstance(url, str) or named is None:
        raise KeyFetchError("jwks_uri of the discovery document is not an https URL")
    if named != host_and_port(source.issuer) and named not in source.hosts:
        raise KeyFetchError(f"jwks_uri names {named}, which is neither the issuer's host nor one of key_set_hosts")
    return url


def fresh_for_s(cache_control: Sequence[str], age: str) -> float:
    """Return how long an answer may be used before it is fetched again, from MIN_FRESH_S to MAX_FRESH_S.

    Args:
        cache_control: The values of the field Cache-Control.
        age: The value of the field Age, how long a cache has had the answer; empty if there is none.
    """
    directives = {
        match["name"].lower(): match["value"] or ""
        for part in ",".join(cache_control).split(",")
        if (match := _DIRECTIVE.fullmatch(part))
    }
    if directives.keys() & {"no-store", "no-cache"}:
        return MIN_FRESH_S
    max_age = directives.get("max-age", "")
    if not _SECONDS.fullmatch(max_age):
        return DEFAULT_FRESH_S
    aged_s = float(age) if _SECONDS.fullmatch(age) else 0.0
    return min(max(float(max_age) - aged_s, MIN_FRESH_S), MAX_FRESH_S)
