"""Reads and checks the configuration of the hub, with the passwords, keys and certificates that it names."""

from datetime import datetime
from typing import Final

from payorch_server.config.collector_files import read_collector_files
from payorch_server.config.fleet_keys import read_keys
from payorch_server.config.hub_checks import hub_problems
from payorch_server.config.hub_document import HubConfiguration, HubDocument
from payorch_server.config.reading import (
    failure,
    read_bytes,
    read_certificate,
    read_document,
    read_password,
    read_text,
)
from payorch_server.config.strict_yaml import TextFile
from payorch_server.model.secret import Secret
from payorch_server.rpc.certificate import ServerCertificate, holds_certificates
from payorch_server.rpc.certificate import problems_of as certificate_problems
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.upc.gateway_port import PluginCertificates
from payorch_server.upc.settings import HubSettings, PluginTlsSettings

_NOT_TAKEN_BY_ZUORA: Final = "|"


def load_hub(*files: TextFile, clock: Clock | None = None) -> HubConfiguration:
    """Read and check the configuration of the hub.

    Args:
        files: One file or several, each top-level section in one of them.
        clock: For the validity of certificates; the machine's unless given.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """
    reading, now = read_document(HubDocument, files), (clock or SystemClock()).now()
    document = reading.document
    problems: list[str] = []
    passwords = {name: _read_passwords(name, hub, problems) for name, hub in document.upc.hubs.items()}
    plugin_certificates = {
        name: _read_plugin_certificates(f"upc.gateways.{name}.tls", gateway.tls, problems, now)
        for name, gateway in document.upc.gateways.items()
        if gateway.tls
    }
    keys = read_keys("keys", document.keys, problems)
    store_password = read_password("store.password_file", document.store.password_file, problems)
    certificate = _read_listener_certificate(document, problems, now)
    otlp_headers = read_collector_files(document.telemetry, problems)
    if found := reading.all_problems([*problems, *hub_problems(document)]):
        raise failure(files, found)
    return HubConfiguration(
        document, passwords, plugin_certificates, keys, store_password, certificate, otlp_headers=otlp_headers
    )


def load_hub_document(*files: TextFile) -> HubDocument:
    """Read and check the configuration of the hub without the passwords, keys and certificates that it names.

    Args:
        files: One file or several, each top-level section in one of them.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """
    reading = read_document(HubDocument, files)
    if found := reading.all_problems(hub_problems(reading.document)):
        raise failure(files, found)
    return reading.document


def _read_passwords(name: str, hub: HubSettings, problems: list[str]) -> tuple[tuple[str, Secret[str]], ...]:
    found: list[tuple[str, Secret[str]]] = []
    for index, generation in enumerate(hub.credentials):
        path = f"upc.hubs.{name}.credentials.{index}.password_file"
        text = read_text(path, generation.password_file, problems)
        if _NOT_TAKEN_BY_ZUORA in text:
            problems.append(f"{path}: {generation.password_file} contains |, which Zuora does not take; choose another")
        found.append((generation.user, Secret(text)))
    return tuple(found)


def _read_plugin_certificates(
    path: str, tls: PluginTlsSettings, problems: list[str], now: datetime
) -> PluginCertificates:
    authorities, certificate, key = (
        read_bytes(f"{path}.{name}", file, problems) if file else b""
        for name, file in (
            ("ca_file", tls.ca_file),
            ("certificate_file", tls.certificate_file),
            ("key_file", tls.key_file),
        )
    )
    if authorities and not holds_certificates(authorities):
        problems.append(f"{path}.ca_file: contains no certificates in PEM form")
    if certificate and key:
        shown = ServerCertificate(chain=certificate, key=Secret(key), client_authorities=b"")
        problems += [f"{path}.{problem}" for problem in certificate_problems(shown, now)]
    return PluginCertificates(authorities, certificate, Secret(key))


def _read_listener_certificate(document: HubDocument, problems: list[str], now: datetime) -> ServerCertificate | None:
    tls = document.upc.tls
    if tls is None:
        return None
    return read_certificate(
        "upc.tls",
        chain=tls.certificate_file,
        key=tls.key_file,
        client_authorities="",
        problems=problems,
        now=now,
    )
