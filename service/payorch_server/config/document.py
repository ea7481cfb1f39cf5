"""The configuration: one document that people write, and the settings with secrets that a service is built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_settings import SettingsConfigDict

from payorch_server.access.bearer import KeySet
from payorch_server.access.settings import AccessSettings
from payorch_server.calls.settings import CallHistorySettings, VerboseSettings
from payorch_server.config.base_document import AdminSettings, BaseDocument, described_schema
from payorch_server.intents.settings import IntentSettings
from payorch_server.model.secret import Secret
from payorch_server.routing.settings import RuleSettings
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.rpc.settings import DiagnosticsSettings, GrpcSettings, IdentitySettings
from payorch_server.runtime.ranges import Switch
from payorch_server.store.settings import StoreSettings
from payorch_server.telemetry.otlp_headers import OtlpHeaders
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.usecases.settings import PaymentMethodSettings, SessionSettings
from payorch_server.zuora.settings import TenantSettings, ZuoraHttpSettings


class Document(BaseDocument):
    """The whole configuration."""

    model_config = SettingsConfigDict(title="payorch configuration")

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
    accept_memory_store: Switch = False
    """Let money move although intents are recorded in this process only; for tests and laptops."""
    verbose: VerboseSettings = VerboseSettings()
    """Calls whose payloads are logged; changes apply while the service runs."""
    access: AccessSettings | None = None
    """Who may do what. None: every caller may do everything, which is allowed on loopback only."""
    tenants: Mapping[str, TenantSettings]
    """Zuora tenants by name."""
    routing: tuple[RuleSettings, ...]
    """Routing rules, in order; the first that matches decides."""


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
    proxy_password: Secret[str] | None = None
    """None if there is no proxy, or it asks for none."""
    key_sets: Mapping[str, KeySet] = field(default_factory=dict)
    """Public keys of issuers of callers' tokens, by the issuer's name; those that are fetched are not settings."""
    otlp_headers: OtlpHeaders | None = None
    """What the collector asks for; None: nothing."""


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file."""
    return described_schema(Document, "payorch")
