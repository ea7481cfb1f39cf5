"""The configuration of the hub: a document of its own, without tenants and without credentials for Zuora."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from payorch_server.config.base_document import AdminSettings, BaseDocument, described_schema
from payorch_server.model.secret import Secret
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.store.settings import KeySettings, StoreSettings
from payorch_server.telemetry.otlp_headers import OtlpHeaders
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.upc.gateway_port import PluginCertificates
from payorch_server.upc.settings import UpcSettings

_SERVICE_NAME: Final = "payorch-upc"


class HubDocument(BaseDocument):
    """The whole configuration of the hub."""

    model_config = SettingsConfigDict(title="payorch hub configuration")

    upc: UpcSettings
    """The hub: where it listens, who may call it, and the gateways that are plugged in."""
    admin: AdminSettings = AdminSettings()
    """The HTTP listener for probes."""
    telemetry: TelemetrySettings = TelemetrySettings(service_name=_SERVICE_NAME)
    """Traces and logs."""
    store: StoreSettings = StoreSettings()
    """Where requests are recorded."""
    keys: tuple[KeySettings, ...] = ()
    """The fleet's secret keys: the current one, then at most one previous. Required with a shared store; empty: a
    random key for this process."""

    @model_validator(mode="before")
    @classmethod
    def _name_service(cls, content: Any) -> Any:
        """Give the hub a name of its own where settings of telemetry leave it out."""
        telemetry = content.get("telemetry") if isinstance(content, Mapping) else None
        if not isinstance(telemetry, Mapping):
            return content
        return {**content, "telemetry": {"service_name": _SERVICE_NAME, **telemetry}}


@dataclass(frozen=True, slots=True)
class HubConfiguration:
    """A configuration of the hub that has passed every check, with its secrets."""

    document: HubDocument
    passwords: Mapping[str, tuple[tuple[str, Secret[str]], ...]]
    """By hub, the users that Zuora may present and their passwords, in the order of the document."""
    plugin_certificates: Mapping[str, PluginCertificates]
    """By gateway, where it is called over TLS."""
    keys: tuple[tuple[str, Secret[bytes]], ...]
    """The fleet's keys by id, the current one first; empty: make one for this process."""
    store_password: Secret[str] | None
    """None if the store needs none."""
    certificate: ServerCertificate | None = None
    """That Zuora sees; None: plaintext."""
    otlp_headers: OtlpHeaders | None = None
    """What the collector asks for; None: nothing."""


def hub_schema() -> dict[str, Any]:
    """Return the JSON schema of the file."""
    return described_schema(HubDocument, "hub")
