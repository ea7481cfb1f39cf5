"""What sends spans and metrics over OTLP/HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import AggregationTemporality  # noqa: TID251 - this package owns it
from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: TID251 - an exporter's result

from payorch_server.telemetry.otlp_spans import encode_spans
from payorch_server.telemetry.recorded_spans import RecordedSpan
from payorch_server.telemetry.settings import TelemetrySettings

_REDIRECTS: Final = 300


class OtlpHttpSender(OTLPSpanExporter):
    """Sends recorded spans over HTTP."""

    def send(self, spans: Sequence[RecordedSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._client.export(encode_spans(spans).SerializeToString())
        # The SDK follows no redirect, and counts it as a success.
        is_accepted = result.success and result.status_code is not None and result.status_code < _REDIRECTS
        return SpanExportResult.SUCCESS if is_accepted else SpanExportResult.FAILURE


class CollectorSession(requests.Session):
    """Verifies certificates with the file that it was given, whatever REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE name."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> dict[str, Any]:
        """Return the settings of a request; of the environment only proxies count."""
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)


def span_sender(settings: TelemetrySettings, *, timeout_s: float) -> OtlpHttpSender:
    """Return a sender of spans."""
    return OtlpHttpSender(endpoint=_url(settings, "traces"), timeout=timeout_s, **_verification(settings))


def metric_exporter(
    settings: TelemetrySettings, *, timeout_s: float, temporality: Mapping[type, AggregationTemporality]
) -> OTLPMetricExporter:
    """Return an exporter of metrics."""
    return OTLPMetricExporter(
        endpoint=_url(settings, "metrics"),
        timeout=timeout_s,
        preferred_temporality=dict(temporality),
        **_verification(settings),
    )


def _url(settings: TelemetrySettings, signal: str) -> str:
    return f"{settings.otlp_endpoint.rstrip('/')}/v1/{signal}"


def _verification(settings: TelemetrySettings) -> dict[str, Any]:
    """Return what verifies the collector's certificate; without a file that is left to the exporter."""
    file = settings.otlp_ca_file
    return {"certificate_file": file, "session": CollectorSession()} if file else {}
