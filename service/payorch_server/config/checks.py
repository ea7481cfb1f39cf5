"""Checks between settings, beyond their types: each problem is a sentence that begins with its path."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from payorch_server.config.access_checks import access_problems, listen_problems
from payorch_server.config.collector_files import collector_problems
from payorch_server.config.document import Document
from payorch_server.config.issuer_checks import issuer_problems
from payorch_server.model.identifiers import is_zuora_id
from payorch_server.model.names import did_you_mean, shown_name
from payorch_server.model.proxy import is_username
from payorch_server.model.route import ZUORA_DEFAULT
from payorch_server.routing.rule_checks import routing_problems, tenant_problems
from payorch_server.runtime.listen_address import can_be_called, is_loopback, network_of, split_address
from payorch_server.store.settings import problems as store_problems
from payorch_server.zuora.settings import (
    ENVIRONMENTS,
    PRODUCTION_HOSTS,
    SANDBOX_HOSTS,
    TenantSettings,
    ZuoraHttpSettings,
)

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")
# What is sent in a header of its own, and in a URL.
_HEADER_VALUE: Final = re.compile(r"[!-~]+")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.~-]+)+/?")
_CERTIFICATE_IDENTITY: Final = re.compile(r"(dns:|urn:|[A-Za-z][A-Za-z0-9+.-]*://)[!-~]+")
# Zuora's internal faults, which alone hide declines.
_DECLINE_CODE: Final = re.compile(r"[569][0-9]{5}60")
_MIN_DECLINE_CHARACTERS: Final = 8
_CLIENT_ID_CHARACTERS: Final = 36


def problems_of(document: Document) -> Iterator[str]:
    """List every problem of a document."""
    yield from _store_problems(document)
    yield from _listen_problems(document)
    yield from _contradictions(document)
    yield from collector_problems(document.telemetry)
    yield from _http_problems(document.zuora_http)
    for name, tenant in document.tenants.items():
        yield from _tenant_problems(name, tenant, document.zuora_http.extra_hosts)
    yield from routing_problems(document.routing, document.tenants)
    yield from access_problems(document)
    yield from _identity_problems(document)


def _store_problems(document: Document) -> Iterator[str]:
    yield from (f"store.{problem}" for problem in store_problems(document.store))
    if document.store.kind == "memory" and not document.accept_memory_store:
        yield (
            "store.kind: with memory a restart loses all intents and replicas cannot see each other's, so money may "
            "not move; set store.kind: redis, or accept_memory_store: true for tests and laptops"
        )
    if document.store.kind == "redis" and not document.intents.keys:
        yield "intents.keys: replicas that share a store must share at least one key"


def _contradictions(document: Document) -> Iterator[str]:
    """List the settings that are within their ranges and cannot be meant together."""
    grpc = document.grpc
    if grpc.default_deadline_s > grpc.max_deadline_s:
        yield (
            f"grpc.default_deadline_s: must be at most grpc.max_deadline_s, which caps every deadline at "
            f"{grpc.max_deadline_s:.15g}; lower it, or raise grpc.max_deadline_s"
        )
    ports = {section: address[1] for section, listen in _listeners(document) if (address := split_address(listen))}
    taken: dict[int, str] = {}
    for section, port in ports.items():
        if port and taken.setdefault(port, section) != section:
            yield f"{section}.listen: has the port of {taken[port]}.listen; give each listener a port of its own"


def _listeners(document: Document) -> Iterator[tuple[str, str]]:
    yield "grpc", document.grpc.listen
    yield "admin", document.admin.listen
    if document.diagnostics.listen:
        yield "diagnostics", document.diagnostics.listen


def _listen_problems(document: Document) -> Iterator[str]:
    for section, listen in _listeners(document):
        address = split_address(listen)
        if address is None:
            yield f"{section}.listen: must be host:port, such as 127.0.0.1:50051"
        elif section != "admin" and not is_loopback(address[0]):
            yield from listen_problems(f"{section}.listen", listen, document, tls=document.grpc.tls is not None)


def _identity_problems(document: Document) -> Iterator[str]:
    mesh = document.identity.mesh
    if mesh is not None:
        if not mesh.peers:
            yield "identity.mesh.peers: must list at least one trusted peer"
        if not _HEADER.fullmatch(mesh.header) or mesh.header.endswith("-bin"):
            yield "identity.mesh.header: must be the lower-case name of a text header, which does not end in -bin"
        for peer in mesh.peers:
            if problem := _peer_problem(peer):
                yield f"identity.mesh.peers: {shown_name(peer)} {problem}"
    yield from issuer_problems(document.identity.jwt, has_proxy=bool(document.zuora_http.proxy_url))


def _peer_problem(peer: str) -> str:
    network = network_of(peer)
    if network is None:
        is_identity = _CERTIFICATE_IDENTITY.fullmatch(peer)
        return "" if is_identity else "is neither a network such as 127.0.0.1/32 nor an identity in a certificate"
    return "" if network.prefixlen else "covers every address, so any client could claim any identity"


def _http_problems(http: ZuoraHttpSettings) -> Iterator[str]:
    for at, host in enumerate(http.extra_hosts):
        if host in PRODUCTION_HOSTS or not _HOST.fullmatch(host):
            yield f"zuora_http.extra_hosts.{at}: must be a bare host name, and none of Zuora's production hosts"
    yield from _proxy_problems(http)


def _proxy_problems(http: ZuoraHttpSettings) -> Iterator[str]:
    url = http.proxy_url
    if "@" in url:
        yield "zuora_http.proxy_url: must not hold a user or password; they belong in proxy_username and its file"
    elif url and not (url.startswith("http://") and can_be_called(url.removeprefix("http://").removesuffix("/"))):
        yield "zuora_http.proxy_url: must be such as http://proxy.internal:3128"
    if bool(http.proxy_username) != bool(http.proxy_password_file) or (http.proxy_username and not url):
        yield "zuora_http.proxy_username: needs proxy_url and proxy_password_file, and each of them needs the others"
    elif not is_username(http.proxy_username):
        yield "zuora_http.proxy_username: must not contain a colon, or what is not printable"


def _tenant_problems(name: str, tenant: TenantSettings, extra_hosts: Sequence[str]) -> Iterator[str]:
    path = f"tenants.{name}"
    if not _NAME.fullmatch(name):
        yield f"{path}: a name has 1 to 64 letters, digits, '_', '.' or '-'"
    if len(tenant.client_id) != _CLIENT_ID_CHARACTERS:
        yield f"{path}.client_id: must have 36 characters, as Zuora issues it"
    yield from _host_problems(path, tenant, extra_hosts)
    ids = [("entities", entity, zuora_id) for entity, zuora_id in tenant.entities.items()]
    ids += [("gateways", gateway, settings.id) for gateway, settings in tenant.gateways.items()]
    for section, key, value in ids:
        if not is_zuora_id(value):
            yield f"{path}.{section}.{key}: must be 32 hexadecimal digits or a UUID"
    if ZUORA_DEFAULT in tenant.gateways:
        yield f"{path}.gateways: {ZUORA_DEFAULT} is a reserved word"
    yield from _wire_problems(path, tenant)
    yield from _decline_problems(path, tenant)
    yield from tenant_problems(path, tenant)


def _wire_problems(path: str, tenant: TenantSettings) -> Iterator[str]:
    """Name what cannot be sent in a header or a URL: each call would fail as if it might have been executed."""
    for org, value in tenant.orgs.items():
        if not _HEADER_VALUE.fullmatch(value) or "," in value:
            yield f"{path}.orgs.{org}: must be one id without a comma, in ASCII without blanks"
    if not _HEADER_VALUE.fullmatch(tenant.zuora_version):
        yield f"{path}.zuora_version: must be a version of Zuora's, such as 2025-08-12"
    for operation, value in dataclasses.asdict(tenant.paths).items():
        if not _PATH.fullmatch(value):
            yield f"{path}.paths.{operation}: must be a path from its first slash on, without a query"


def _decline_problems(path: str, tenant: TenantSettings) -> Iterator[str]:
    for at, decline in enumerate(tenant.declines):
        if not _DECLINE_CODE.fullmatch(decline.code):
            yield f"{path}.declines.{at}.code: must be one of Zuora's codes of eight digits that end in 60"
        if len(decline.message.strip()) < _MIN_DECLINE_CHARACTERS:
            yield f"{path}.declines.{at}.message: must have {_MIN_DECLINE_CHARACTERS} characters or more"


def _host_problems(path: str, tenant: TenantSettings, extra_hosts: Sequence[str]) -> Iterator[str]:
    if bool(tenant.environment) == bool(tenant.base_url):
        yield f"{path}: give either environment or base_url"
        return
    if tenant.environment and tenant.environment not in ENVIRONMENTS:
        near = did_you_mean(tenant.environment, ENVIRONMENTS)
        yield f"{path}.environment: must be one of {', '.join(ENVIRONMENTS)}{near}"
    if tenant.base_url:
        host = _origin_host(tenant.base_url)
        if host is None:
            yield f"{path}.base_url: must be scheme, host and optional port, such as https://rest.test.zuora.com"
        elif host in PRODUCTION_HOSTS:
            yield f"{path}.base_url: {host} is one of Zuora's production hosts; set environment instead"
        elif tenant.base_url.startswith("http:") and not is_loopback(host):
            yield f"{path}.base_url: http is for loopback only; use https"
        elif not is_loopback(host) and host not in SANDBOX_HOSTS and host not in extra_hosts:
            host = shown_name(host)
            yield f"{path}.base_url: {host} is not a Zuora sandbox or this machine; add it to zuora_http.extra_hosts"


def _origin_host(url: str) -> str | None:
    """Return the host of an origin, or None if the URL is not exactly an origin."""
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return None
    plain = url.isascii() and url.isprintable() and not set(url) & set("@ \\<>\"'")
    return parts.hostname if plain and url.rstrip("/") == origin else None
