"""The only reader of the environment and of files: YAML files, PAYORCH_ variables over them, files of secrets.

`PAYORCH_GRPC__LISTEN=0.0.0.0:50051` overrides `grpc: {listen: ...}`. Every problem is reported at once, with its path.
"""

import codecs
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from payorch_server.config.checks import problems_of
from payorch_server.config.document import ENV_PREFIX, ConfigError, Document, Settings
from payorch_server.config.strict_yaml import read_yaml
from payorch_server.model.secret import Secret
from payorch_server.rpc.bearer import KeySet, KeySetError, parse_key_set
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.rpc.certificate import problems_of as certificate_problems
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.store.keyring import MIN_KEY_BYTES
from payorch_server.zuora.settings import TenantSettings

_CLIENT_SECRET: Final = re.compile("[ -~]*")
_WHITE_SPACE: Final = " \t\r\n"
"""Around a secret; editors and shells end files with some of it."""
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Editors put them before texts. A random key begins with one in one of 30,000 cases; make another one then."""


def load(*files: Path, clock: Clock | None = None) -> Settings:
    """Read and check the configuration.

    Args:
        files: One file or several, each top-level section in one of them.
        clock: For the validity of certificates; the machine's unless given.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """
    source = ", ".join(str(file) for file in files)
    document = _parse(source, _merge(files))
    secrets, problems = _read_secrets(document.tenants)
    keys, password = _read_keys(document, problems), _read_password(document, problems)
    certificate = _read_certificate(document, problems, (clock or SystemClock()).now())
    key_set = _read_key_set(document, problems)
    problems += problems_of(document)
    if problems:
        raise ConfigError(source, problems)
    return Settings(document, secrets, keys, password, certificate, key_set)


def load_document(*files: Path) -> Document:
    """Read and check the configuration without the secrets, keys and certificates that it names.

    Args:
        files: One file or several, each top-level section in one of them.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """
    source = ", ".join(str(file) for file in files)
    document = _parse(source, _merge(files))
    problems = [*problems_of(document)]
    if problems:
        raise ConfigError(source, problems)
    return document


def _merge(files: Sequence[Path]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    origin: dict[str, Path] = {}
    for file in files:
        for section, value in _read_mapping(file).items():
            if section in content:
                problem = f"{section}: is also defined in {origin[section]}; define each section in one file"
                raise ConfigError(str(file), [problem])
            content[section], origin[section] = value, file
    return content


def _read_mapping(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(str(path), ["must be a mapping with the sections tenants and routing"])
    return {str(key): value for key, value in content.items()}


def _parse(source: str, content: dict[str, Any]) -> Document:
    problems = [
        f"{name}: no such setting; variables are named {ENV_PREFIX}SECTION__SETTING"
        for name in sorted(os.environ)  # noqa: TID251 - this is the reader
        if name.startswith(ENV_PREFIX)
        and name.removeprefix(ENV_PREFIX).partition("__")[0].lower() not in Document.model_fields
    ]
    # pydantic-settings would take such names for its own options.
    problems += [f"{name}: no such setting" for name in content if name.startswith("_")]
    content = {name: value for name, value in content.items() if not name.startswith("_")}
    try:
        document = Document(**content)
    except SettingsError as error:
        problems.append(f"{ENV_PREFIX}*: {error}; use JSON, or one variable per setting")
    except ValidationError as error:
        problems += [
            f"{'.'.join(str(part) for part in problem['loc'])}: {_plain_text(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
    else:
        if not problems:
            return document
    raise ConfigError(source, problems)


def _plain_text(kind: str, message: str) -> str:
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        return "no such setting"
    return message[:1].lower() + message[1:]


def _read_secrets(tenants: Mapping[str, TenantSettings]) -> tuple[dict[str, Secret[str]], list[str]]:
    secrets: dict[str, Secret[str]] = {}
    problems: list[str] = []
    for name, tenant in tenants.items():
        path = f"tenants.{name}.client_secret_file"
        text = _read_text(path, tenant.client_secret_file, problems)
        if text and not _CLIENT_SECRET.fullmatch(text):
            problems.append(
                f"{path}: {tenant.client_secret_file} must contain characters from 0x20 to 0x7E alone (RFC 6749); "
                "write the secret again as Zuora showed it"
            )
        secrets[name] = Secret(text)
    return secrets, problems


def _read_text(path: str, file: str, problems: list[str]) -> str:
    """Return the text of a file without white space around it; empty if there is a problem, which is then listed."""
    before = len(problems)
    content = _read_bytes(path, file, problems)
    if len(problems) > before:
        return ""
    try:
        text = content.decode().strip(_WHITE_SPACE)
    except UnicodeDecodeError:
        problems.append(f"{path}: {file} cannot be read: not text in UTF-8; save it in that encoding")
        return ""
    if not text:
        problems.append(f"{path}: {file} is empty")
    elif not text.isprintable():
        problems.append(f"{path}: {file} contains a character that is not printable; write the text as one line")
        return ""
    return text


def _read_keys(document: Document, problems: list[str]) -> tuple[tuple[str, Secret[bytes]], ...]:
    keys: list[tuple[str, Secret[bytes]]] = []
    for index, key in enumerate(document.intents.keys):
        path = f"intents.keys.{index} ({key.id}).file"
        secret = _read_bytes(path, key.file, problems)
        if 0 < len(secret) < MIN_KEY_BYTES:
            problems.append(f"{path}: must contain at least {MIN_KEY_BYTES} random bytes")
        keys.append((key.id, Secret(secret)))
    if len({key.id for key in document.intents.keys}) != len(document.intents.keys):
        problems.append("intents.keys: each id must be unique")
    return tuple(keys)


def _read_password(document: Document, problems: list[str]) -> Secret[str] | None:
    if not document.store.password_file:
        return None
    text = _read_text("store.password_file", document.store.password_file, problems)
    return Secret(text) if text else None


def _read_certificate(document: Document, problems: list[str], now: datetime) -> ServerCertificate | None:
    tls = document.grpc.tls
    if tls is None:
        return None
    read = [_read_bytes(f"grpc.tls.{name}", getattr(tls, name), problems) for name in ("certificate_file", "key_file")]
    authorities = _read_bytes("grpc.tls.client_ca_file", tls.client_ca_file, problems) if tls.client_ca_file else b""
    if not all(read):
        return None
    certificate = ServerCertificate(chain=read[0], key=Secret(read[1]), client_authorities=authorities)
    problems += [f"grpc.tls.{problem}" for problem in certificate_problems(certificate, now)]
    return certificate


def _read_key_set(document: Document, problems: list[str]) -> KeySet | None:
    jwt = document.identity.jwt
    text = _read_bytes("identity.jwt.key_set_file", jwt.key_set_file, problems) if jwt else b""
    if not text:
        return None
    try:
        return parse_key_set(text)
    except KeySetError as error:
        problems.append(f"identity.jwt.key_set_file: {error}")
        return None


def _read_bytes(path: str, file: str, problems: list[str]) -> bytes:
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        problems.append(f"{path}: {file} cannot be read: {error.strerror}")
        return b""
    if not content:
        problems.append(f"{path}: {file} is empty")
    elif content.startswith(_BYTE_ORDER_MARKS):
        problems.append(f"{path}: {file} begins with a byte order mark; save it without one")
        return b""
    return content
