"""Reads and checks the configuration of the service, with the secrets, keys and certificates that it names."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from payorch_server.access.bearer import KeySet, KeySetError, parse_key_set
from payorch_server.config.checks import problems_of
from payorch_server.config.collector_files import read_collector_files
from payorch_server.config.document import Document, Settings
from payorch_server.config.fleet_keys import read_keys
from payorch_server.config.reading import (
    check_authorities,
    failure,
    read_bytes,
    read_certificate,
    read_document,
    read_password,
    read_text,
)
from payorch_server.config.strict_yaml import TextFile
from payorch_server.model.secret import Secret
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.zuora.settings import TenantSettings

_CLIENT_SECRET: Final = re.compile("[ -~]*")


def load(*files: TextFile, clock: Clock | None = None) -> Settings:
    """Read and check the configuration.

    Args:
        files: One file or several, each top-level section in one of them.
        clock: For the validity of certificates; the machine's unless given.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """
    reading = read_document(Document, files)
    document = reading.document
    secrets, problems = _read_secrets(document.tenants)
    keys = read_keys("intents.keys", document.intents.keys, problems)
    store_password = read_password("store.password_file", document.store.password_file, problems)
    http = document.zuora_http
    proxy_password = read_password("zuora_http.proxy_password_file", http.proxy_password_file, problems)
    certificate = _read_certificate(document, problems, (clock or SystemClock()).now())
    key_sets = _read_key_sets(document, problems)
    check_authorities("zuora_http.ca_file", http.ca_file, problems)
    otlp_headers = read_collector_files(document.telemetry, problems)
    if found := reading.all_problems([*problems, *problems_of(document)]):
        raise failure(files, found)
    return Settings(
        document,
        secrets,
        keys,
        store_password,
        certificate=certificate,
        proxy_password=proxy_password,
        key_sets=key_sets,
        otlp_headers=otlp_headers,
    )


def load_document(*files: TextFile) -> Document:
    """Read and check the configuration without the secrets, keys and certificates that it names.

    Args:
        files: One file or several, each top-level section in one of them.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """
    reading = read_document(Document, files)
    if found := reading.all_problems(problems_of(reading.document)):
        raise failure(files, found)
    return reading.document


def _read_secrets(tenants: Mapping[str, TenantSettings]) -> tuple[dict[str, Secret[str]], list[str]]:
    secrets: dict[str, Secret[str]] = {}
    problems: list[str] = []
    for name, tenant in tenants.items():
        path = f"tenants.{name}.client_secret_file"
        text = read_text(path, tenant.client_secret_file, problems)
        if text and not _CLIENT_SECRET.fullmatch(text):
            problems.append(
                f"{path}: {tenant.client_secret_file} must contain characters from 0x20 to 0x7E alone (RFC 6749); "
                "write the secret again as Zuora showed it"
            )
        secrets[name] = Secret(text)
    return secrets, problems


def _read_certificate(document: Document, problems: list[str], now: datetime) -> ServerCertificate | None:
    tls = document.grpc.tls
    if tls is None:
        return None
    return read_certificate(
        "grpc.tls",
        chain=tls.certificate_file,
        key=tls.key_file,
        client_authorities=tls.client_ca_file,
        problems=problems,
        now=now,
    )


def _read_key_sets(document: Document, problems: list[str]) -> dict[str, KeySet]:
    key_sets: dict[str, KeySet] = {}
    for name, jwt in document.identity.jwt.items():
        check_authorities(f"identity.jwt.{name}.ca_file", jwt.ca_file, problems)
        if not jwt.key_set_file:
            continue
        path = f"identity.jwt.{name}.key_set_file"
        text = read_bytes(path, jwt.key_set_file, problems)
        try:
            if text:
                key_sets[name] = parse_key_set(text)
        except KeySetError as error:
            problems.append(f"{path}: {error}")
    return key_sets
