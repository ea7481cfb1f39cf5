"""The configuration: one document that people write, and the settings with secrets that a service is built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from payorch_server.access.settings import AccessSettings
from payorch_server.calls.settings import CallHistorySettings, VerboseSettings
from payorch_server.intents.settings import IntentSettings
from payorch_server.model.errors import CommandError
from payorch_server.model.secret import Secret
from payorch_server.routing.settings import RuleSettings
from payorch_server.rpc.bearer import KeySet
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.rpc.settings import DiagnosticsSettings, GrpcSettings, IdentitySettings
from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import VariableText
from payorch_server.store.settings import StoreSettings
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.usecases.settings import PaymentMethodSettings, SessionSettings
from payorch_server.zuora.settings import TenantSettings, ZuoraHttpSettings

ENV_PREFIX: Final = "PAYORCH_"


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The HTTP listener for probes."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    listen: str = "127.0.0.1:9464"
    """Host and port; port 0 takes a free one."""


class _Variables(EnvSettingsSource):
    """The environment, whose values are marked: a number there is text, and may be text nowhere else."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.env_vars = {name: value and VariableText(value) for name, value in self.env_vars.items()}


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

    grpc: GrpcSettings = GrpcSettings()
    """The gRPC listener."""
    admin: AdminSettings = AdminSettings()
    """The HTTP listener for probes."""
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()
    """The gRPC listener for operators."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Traces and logs."""
    zuora_http: ZuoraHttpSettings = ZuoraHttpSettings()
    """The HTTP client towards Zuora."""
    identity: IdentitySettings = IdentitySettings()
    """How callers are authenticated, beside client certificates."""
    intents: IntentSettings = IntentSettings()
    """How intents are named, and the keys that protect their records."""
    sessions: SessionSettings = SessionSettings()
    """Payment sessions."""
    payment_methods: PaymentMethodSettings = PaymentMethodSettings()
    """Payment methods."""
    call_history: CallHistorySettings = CallHistorySettings()
    """Records of ended calls."""
    store: StoreSettings = StoreSettings()
    """Where intents are recorded."""
    accept_memory_store: bool = False
    """Let money move although intents are recorded in this process only; for tests and laptops."""
    verbose: VerboseSettings = VerboseSettings()
    """Calls whose payloads are logged; changes apply while the service runs."""
    access: AccessSettings | None = None
    """Who may do what. None: every caller may do everything, which is allowed on loopback only."""
    tenants: Mapping[str, TenantSettings]
    """Zuora tenants by name."""
    routing: tuple[RuleSettings, ...]
    """Routing rules, in order; the first that matches decides."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return _Variables(settings_cls), init_settings


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that has passed every check, with its secrets."""

    document: Document
    client_secrets: Mapping[str, Secret[str]]
    """By tenant."""
    keys: tuple[tuple[str, Secret[bytes]], ...]
    """The fleet's keys by id, the current one first; empty: make one for this process."""
    store_password: Secret[str] | None
    """None if the store needs none."""
    certificate: ServerCertificate | None = None
    """None: plaintext."""
    key_set: KeySet | None = None
    """Public keys of the issuer of callers' tokens; None if tokens are not accepted."""


class ConfigError(CommandError):
    """A configuration that cannot be used."""

    exit_status = 2

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}{listed}")
        self.problems = tuple(problems)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file."""
    return Document.model_json_schema()
