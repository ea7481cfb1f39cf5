from dataclasses import dataclass
from typing import ClassVar, Literal

from payorch_server.runtime.strict import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Traces and logs."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    traces: Literal["none", "console", "otlp"] = "none"
    """Where spans go: nowhere, to standard error for people, or to a collector over OTLP/gRPC."""
    otlp_endpoint: str = "http://127.0.0.1:4317"
    """The collector's OTLP/gRPC address; http means plaintext, https TLS."""
    service_name: str = "payorch"
    """The resource attribute service.name."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is written."""
    log_format: Literal["json", "console"] = "json"
    """JSON lines for machines, or coloured lines for people."""
