"""What sends spans and metrics to a collector over OTLP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter  # noqa: TID251 - this package owns it
from opentelemetry.sdk.metrics.export import (  # noqa: TID251 - this package owns it
    AggregationTemporality,
    MetricExporter,
)

from payorch_server.model.secret import reveal  # noqa: TID251 - the headers are sent from here
from payorch_server.telemetry.export import SpanSender
from payorch_server.telemetry.otlp_headers import OtlpHeaders
from payorch_server.telemetry.settings import TelemetrySettings

# A collector on the same network that has not accepted a batch by then is dead or overloaded.
_EXPORT_TIMEOUT_S: Final = 3.0
# Whatever the environment prefers: our own histograms sum up from the start, and counters must not differ from them.
_CUMULATIVE: Final[dict[type, AggregationTemporality]] = {
    Counter: AggregationTemporality.CUMULATIVE,
    ObservableCounter: AggregationTemporality.CUMULATIVE,
    Histogram: AggregationTemporality.CUMULATIVE,
}


class Collector:
    """Makes what sends spans and metrics to one collector, and replaces the headers that are sent with them.

    The exporters, and the clients that each of them has, are loaded when they are made: most services have none.
    """

    def __init__(self, settings: TelemetrySettings, headers: OtlpHeaders | None) -> None:
        """Connect to nothing yet.

        Args:
            settings: The collector's address, its protocol and its authorities.
            headers: What it asks for; None: nothing.
        """
        self._settings = settings
        self._headers = headers
        self._replacements: list[Callable[[OtlpHeaders], None]] = []

    def __repr__(self) -> str:
        return f"Collector({self._settings.otlp_endpoint})"

    def use_headers(self, headers: OtlpHeaders) -> None:
        """Send other headers from the next export on."""
        self._headers = headers
        for replace in self._replacements:
            replace(headers)

    def span_sender(self) -> SpanSender:
        """Return a sender of spans.

        Raises:
            OSError: The file of authorities cannot be read.
        """
        settings = self._settings
        if settings.traces == "otlp_http":
            from payorch_server.telemetry import otlp_http  # noqa: PLC0415 - see the class

            over_http = otlp_http.span_sender(settings, timeout_s=_EXPORT_TIMEOUT_S)
            self._send_headers(over_http._client)  # noqa: SLF001 - its headers cannot be replaced otherwise
            return over_http
        from payorch_server.telemetry.otlp_spans import OtlpGrpcSender  # noqa: PLC0415 - see the class

        over_grpc = OtlpGrpcSender(
            endpoint=settings.otlp_endpoint, credentials=self._credentials(), timeout=_EXPORT_TIMEOUT_S
        )
        self._send_headers(over_grpc)
        return over_grpc

    def metric_exporter(self) -> MetricExporter:
        """Return an exporter of metrics, over the protocol of spans.

        Raises:
            OSError: The file of authorities cannot be read.
        """
        settings = self._settings
        if settings.traces == "otlp_http":
            from payorch_server.telemetry import otlp_http  # noqa: PLC0415 - see the class

            over_http = otlp_http.metric_exporter(settings, timeout_s=_EXPORT_TIMEOUT_S, temporality=_CUMULATIVE)
            self._send_headers(over_http._client)  # noqa: SLF001 - its headers cannot be replaced otherwise
            return over_http
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter  # noqa: PLC0415 - see the class

        over_grpc = metric_exporter.OTLPMetricExporter(
            endpoint=settings.otlp_endpoint,
            credentials=self._credentials(),
            timeout=_EXPORT_TIMEOUT_S,
            preferred_temporality=_CUMULATIVE,
        )
        self._send_headers(over_grpc)
        return over_grpc

    def _credentials(self) -> Any:
        """Return the authorities of the collector for gRPC; None: those that gRPC comes with."""
        if not self._settings.otlp_ca_file:
            return None
        import grpc  # noqa: PLC0415 - see the class

        return grpc.ssl_channel_credentials(Path(self._settings.otlp_ca_file).read_bytes())

    def _send_headers(self, exporter: Any) -> None:
        """Let an exporter over gRPC, or the client of one over HTTP, send the headers.

        Both read them at each export, from an attribute of the same name: pairs over gRPC, a dict over HTTP.
        """
        own = exporter._headers  # noqa: SLF001 - the SDK fixes headers at construction

        def replace(headers: OtlpHeaders) -> None:
            given = reveal(headers)
            sent = dict(own) | dict(given)
            exporter._headers = sent if isinstance(own, dict) else tuple(sent.items())  # noqa: SLF001 - see above

        self._replacements.append(replace)
        if self._headers:
            replace(self._headers)
