"""Settings of traces, metrics and logs."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Range, Ratio, Switch, count, seconds


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """Which calls' spans are sent.

    It is decided when a call has ended: what failed, has an unknown outcome or was slow always is.
    """

    __pydantic_config__: ClassVar = FORBID_EXTRA

    ratio: Ratio = 1.0
    """Share of the other calls, chosen by trace id: all services with the same ratio choose the same."""
    callers_per_s: Annotated[float, Range(0, 10_000, "calls per second")] = 50.0
    """Calls a second that are kept, beyond the ratio, because their callers' traces are sampled."""
    slow_s: Annotated[float, seconds(0.001, 60)] = 2.0
    """Duration from which a call is slow."""
    max_held_spans: Annotated[int, count(1, 1_000_000, "spans")] = 20_000
    """Spans of calls in progress that are held at most; beyond it those of the oldest call are lost."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Traces, metrics and logs."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    traces: Literal["none", "console", "otlp", "otlp_http"] = "none"
    """Where spans go: nowhere, to standard error for people, or to a collector over OTLP/gRPC or OTLP/HTTP."""
    otlp_endpoint: str = "http://127.0.0.1:4317"
    """The collector's address, for OTLP/HTTP such as http://collector:4318; http means plaintext, https TLS."""
    otlp_headers_file: str = ""
    """File of headers that are sent to the collector, such as an API key: `name: value` on each line, in ASCII; empty:
    none. It is read again when it changes. The endpoint must then be https, or on this machine."""
    otlp_ca_file: str = ""
    """PEM file of certificate authorities that the collector's certificate is verified with; empty: the public ones
    that the exporter comes with."""
    otlp_metrics: Switch = False
    """Whether metrics go to that collector too, every 30 seconds. /metrics has them in any case."""
    sampling: SamplingSettings = SamplingSettings()
    """Which calls' spans are sent."""
    baggage: tuple[str, ...] = ()
    """Entries of callers' W3C baggage that server spans carry, as attributes baggage.NAME; all others are ignored,
    because callers may put anything there."""
    service_name: str = "payorch"
    """The resource attribute service.name; of the hub payorch-upc unless it is given."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is written."""
    log_format: Literal["json", "console"] = "json"
    """JSON lines for machines, or coloured lines for people."""
    audit: Literal["required", "best_effort"] = "required"
    """Whether a payment needs its line in the audit, which goes to standard output. required: while the audit is not
    being read, calls that move money are refused with AUDIT_UNAVAILABLE. best_effort: they go on, and lost lines are
    counted. All other calls always do."""
