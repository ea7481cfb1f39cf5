"""The only reader of the environment and of files: one YAML file, PAYORCH_ variables over it, secrets by reference.

`PAYORCH_RPC__LISTEN=0.0.0.0:50051` overrides `rpc: {listen: ...}`. Every problem is reported at once, with its path.
"""

import ipaddress
import os
import re
import ssl
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from payorch_server.model.route import ZUORA_DEFAULT
from payorch_server.model.secret import Secret
from payorch_server.orchestration.keyring import MIN_KEY_BYTES
from payorch_server.orchestration.settings import OrchestrationSettings, RuleSettings
from payorch_server.rpc.settings import RpcSettings
from payorch_server.runtime.settings import TelemetrySettings
from payorch_server.runtime.strict import FORBID_EXTRA
from payorch_server.store.settings import StoreSettings
from payorch_server.store.settings import problems as store_problems
from payorch_server.zuora.settings import ENVIRONMENTS, HttpSettings, TenantSettings

ENV_PREFIX: Final = "PAYORCH_"
_ID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CLIENT_ID_CHARACTERS: Final = 36
_PRODUCTION_HOSTS: Final = frozenset(
    url.partition("://")[2] for name, url in ENVIRONMENTS.items() if name.endswith("_production")
)
_RPCS: Final = frozenset({"CreateSession", "DecryptApplePay", "CreatePaymentMethod"})


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The HTTP listener for probes."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    listen: str = "127.0.0.1:9464"
    """Host and port; port 0 takes a free one."""


class Document(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        title="payorch configuration",
    )

    rpc: RpcSettings = RpcSettings()
    """The gRPC listener."""
    admin: AdminSettings = AdminSettings()
    """The HTTP listener for probes."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Traces and logs."""
    http: HttpSettings = HttpSettings()
    """The HTTP client towards Zuora."""
    orchestration: OrchestrationSettings = OrchestrationSettings()
    """Rules of the use cases."""
    store: StoreSettings = StoreSettings()
    """Where intents are recorded."""
    accept_memory_store: bool = False
    """Let money move although intents are recorded in this process alone; for tests and laptops."""
    tenants: Mapping[str, TenantSettings]
    """Zuora tenants by name."""
    routing: tuple[RuleSettings, ...]
    """Routing rules, in order; the first that matches decides."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that has passed every check, with its secrets."""

    document: Document
    client_secrets: Mapping[str, Secret[str]]
    """By tenant."""
    keys: tuple[tuple[str, Secret[bytes]], ...]
    """The fleet's keys by id, the one in use first; empty: make one for this process."""
    store_password: Secret[str] | None
    """None where the store needs none."""


class ConfigError(Exception):
    """A configuration that cannot be used."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}{listed}")
        self.problems = tuple(problems)


def load(path: Path) -> Settings:
    """Read and check the configuration.

    Raises:
        ConfigError: With every problem found.
    """
    document = _parse(path, _read_yaml(path))
    secrets, problems = _read_secrets(document.tenants)
    keys, password = _read_keys(document, problems), _read_password(document, problems)
    problems += _store_problems(document)
    problems += _listen_problems(document)
    problems += _http_problems(document.http)
    problems += [problem for name, tenant in document.tenants.items() for problem in _tenant_problems(name, tenant)]
    problems += _routing_problems(document)
    if problems:
        raise ConfigError(str(path), problems)
    return Settings(document, secrets, keys, password)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file."""
    return Document.model_json_schema()


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, which YAML would drop silently."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if not isinstance(name, Hashable):
            raise yaml.MarkedYAMLError(problem="a key must be a plain value", problem_mark=key.start_mark)
        if name in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {name!r} is given twice", problem_mark=key.start_mark)
        seen.add(name)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(), _StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), ["is not UTF-8 text"]) from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(str(path), [f"{line}{error.problem}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"is not YAML: {str(error).splitlines()[0]}"]) from error
    if not isinstance(content, dict):
        raise ConfigError(str(path), ["must be a mapping with the members tenants and routing"])
    return {str(key): value for key, value in content.items()}


def _parse(path: Path, content: dict[str, Any]) -> Document:
    problems = [
        f"{name}: no such setting; the environment names settings as {ENV_PREFIX}SECTION__SETTING"
        for name in sorted(os.environ)  # noqa: TID251 - this is the reader
        if name.startswith(ENV_PREFIX)
        and name.removeprefix(ENV_PREFIX).partition("__")[0].lower() not in Document.model_fields
    ]
    # pydantic-settings takes arguments of its own whose names begin so, and they would steer the reader.
    problems += [f"{name}: no such setting" for name in content if name.startswith("_")]
    content = {name: value for name, value in content.items() if not name.startswith("_")}
    try:
        document = Document(**content)
    except SettingsError as error:
        problems.append(f"{ENV_PREFIX}*: {error}; give JSON, or one variable per setting")
    except ValidationError as error:
        problems += [
            f"{'.'.join(str(part) for part in one['loc'])}: {_plain(one['type'], one['msg'])}"
            for one in error.errors(include_url=False, include_input=False)
        ]
    else:
        if not problems:
            return document
    raise ConfigError(str(path), problems)


def _plain(kind: str, message: str) -> str:
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        return "no such setting"
    return message[:1].lower() + message[1:]


def _read_secrets(tenants: Mapping[str, TenantSettings]) -> tuple[dict[str, Secret[str]], list[str]]:
    secrets: dict[str, Secret[str]] = {}
    problems: list[str] = []
    for name, tenant in tenants.items():
        try:
            text = Path(tenant.client_secret_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            problems.append(f"tenants.{name}.client_secret_file: {tenant.client_secret_file} cannot be read: {reason}")
            continue
        if not text:
            problems.append(f"tenants.{name}.client_secret_file: {tenant.client_secret_file} is empty")
        secrets[name] = Secret(text)
    return secrets, problems


def _read_keys(document: Document, problems: list[str]) -> tuple[tuple[str, Secret[bytes]], ...]:
    keys: list[tuple[str, Secret[bytes]]] = []
    for index, key in enumerate(document.orchestration.keys):
        path = f"orchestration.keys.{index} ({key.id}).file"
        try:
            secret = Path(key.file).read_bytes()
        except OSError as error:
            problems.append(f"{path}: {key.file} cannot be read: {error.strerror}")
            continue
        if len(secret) < MIN_KEY_BYTES:
            problems.append(f"{path}: must hold at least {MIN_KEY_BYTES} random bytes")
        keys.append((key.id, Secret(secret)))
    if len({key.id for key in document.orchestration.keys}) != len(document.orchestration.keys):
        problems.append("orchestration.keys: each id must be used once")
    return tuple(keys)


def _read_password(document: Document, problems: list[str]) -> Secret[str] | None:
    if not document.store.password_file:
        return None
    try:
        return Secret(Path(document.store.password_file).read_text().strip())
    except (OSError, UnicodeDecodeError):
        problems.append(f"store.password_file: {document.store.password_file} cannot be read")
        return None


def _store_problems(document: Document) -> Iterator[str]:
    yield from (f"store.{problem}" for problem in store_problems(document.store))
    if document.store.kind == "memory" and not document.accept_memory_store:
        yield (
            "store.kind: memory forgets every intent at a restart and knows nothing of other replicas, so money may "
            "not move; set store.kind: redis, or accept_memory_store: true for tests and laptops"
        )
    if document.store.kind == "redis" and not document.orchestration.keys:
        yield "orchestration.keys: replicas that share a store must share at least one key"


def split_address(listen: str) -> tuple[str, int] | None:
    """Return host and port of `host:port` or `[v6]:port`, or None if it is neither."""
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        return None
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen_problems(document: Document) -> Iterator[str]:
    for section, listen in (("rpc", document.rpc.listen), ("admin", document.admin.listen)):
        if split_address(listen) is None:
            yield f"{section}.listen: {listen!r} is not host:port"
    address = split_address(document.rpc.listen)
    if address and not _is_loopback(address[0]) and not document.rpc.plaintext_beyond_loopback:
        yield (
            f"rpc.listen: {document.rpc.listen} can be reached from other machines, in plaintext and without knowing "
            "who calls; listen on 127.0.0.1, or set rpc.plaintext_beyond_loopback: true where a network hides it"
        )


def _http_problems(http: HttpSettings) -> Iterator[str]:
    if not http.ca_file:
        return
    try:
        ssl.create_default_context(cafile=http.ca_file)
    except OSError as error:
        yield f"http.ca_file: {http.ca_file} holds no certificates that can be read: {error.strerror or error}"


def _tenant_problems(name: str, tenant: TenantSettings) -> Iterator[str]:
    path = f"tenants.{name}"
    if not _NAME.fullmatch(name):
        yield f"{path}: a name has 1 to 64 letters, digits, '_', '.' or '-'"
    if len(tenant.client_id) != _CLIENT_ID_CHARACTERS:
        yield f"{path}.client_id: must have 36 characters, as Zuora issues it"
    yield from _host_problems(path, tenant)
    ids = [*(("entities", *item) for item in tenant.entities.items())]
    ids += [("gateways", gateway, settings.id) for gateway, settings in tenant.gateways.items()]
    for section, key, value in ids:
        if not _ID.fullmatch(value):
            yield f"{path}.{section}.{key}: must be 32 hexadecimal digits or a UUID"
    if ZUORA_DEFAULT in tenant.gateways:
        yield f"{path}.gateways: {ZUORA_DEFAULT} is a reserved word"
    for org, value in tenant.orgs.items():
        if not value or "," in value:
            yield f"{path}.orgs.{org}: must be one id without a comma"


def _host_problems(path: str, tenant: TenantSettings) -> Iterator[str]:
    if bool(tenant.environment) == bool(tenant.base_url):
        yield f"{path}: give either environment or base_url"
        return
    if tenant.environment and tenant.environment not in ENVIRONMENTS:
        yield f"{path}.environment: must be one of {', '.join(ENVIRONMENTS)}"
    if tenant.base_url:
        host = _origin_host(tenant.base_url)
        if host is None:
            yield f"{path}.base_url: must be a scheme, a host and perhaps a port, such as https://rest.test.zuora.com"
        elif host in _PRODUCTION_HOSTS:
            yield f"{path}.base_url: {host} is one of Zuora's production hosts; name it by environment"
        elif tenant.base_url.startswith("http:") and not _is_loopback(host):
            yield f"{path}.base_url: http is for loopback only; use https"


def _origin_host(url: str) -> str | None:
    """Return the host of an origin, or None if the URL is anything else or more than that."""
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


def _routing_problems(document: Document) -> Iterable[str]:
    if not document.routing:
        yield "routing: must have at least one rule"
    names = [rule.name for rule in document.routing]
    for index, rule in enumerate(document.routing):
        path = f"routing.{index} ({rule.name})"
        if names.index(rule.name) != index:
            yield f"{path}.name: is used by an earlier rule"
        for rpc in rule.when.rpc:
            if rpc not in _RPCS:
                yield f"{path}.when.rpc: {rpc} is none of {', '.join(sorted(_RPCS))}"
        tenant = document.tenants.get(rule.to.tenant)
        if tenant is None:
            yield f"{path}.to.tenant: {rule.to.tenant} is not in tenants"
        else:
            yield from _target_problems(path, rule, tenant)


def _target_problems(path: str, rule: RuleSettings, tenant: TenantSettings) -> Iterator[str]:
    target = rule.to
    if tenant.entities and target.entity not in tenant.entities:
        yield f"{path}.to.entity: must name one of the tenant's entities: {', '.join(tenant.entities)}"
    if not tenant.entities and target.entity:
        yield f"{path}.to.entity: the tenant has no entities"
    for org in target.orgs:
        if org not in tenant.orgs:
            yield f"{path}.to.orgs: {org} is not among the tenant's orgs"
    if target.gateway != ZUORA_DEFAULT and target.gateway not in tenant.gateways:
        known = ", ".join([*tenant.gateways, ZUORA_DEFAULT])
        yield f"{path}.to.gateway: must be one of {known}"
