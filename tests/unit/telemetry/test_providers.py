import re
from typing import Literal

import pytest
from harness.spans import KeptSpans
from opentelemetry.sdk.metrics.export import AggregationTemporality  # noqa: TID251 - what exporters send
from opentelemetry.trace import Span
from payorch_server.telemetry.collector import Collector
from payorch_server.telemetry.providers import Telemetry, start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings

# Nothing listens there.
UNREACHABLE = "http://127.0.0.1:1"


def dropped(telemetry: Telemetry) -> dict[str, float]:
    """Read the metric as Prometheus does."""
    text = telemetry.exposition("text/plain")[0].decode()
    found = re.findall(r'^payorch_spans_dropped_total\{.*?reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {reason: float(value) for reason, value in found}


def spans(telemetry: Telemetry, count: int = 1) -> list[Span]:
    """Start and end some spans."""
    made = [telemetry.tracer.start_span("call") for _ in range(count)]
    for span in made:
        span.end()
    return made


class TestTelemetry:
    """Spans and metrics go where the settings say."""

    def test_counts_spans_that_nobody_takes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At /metrics, by what became of them."""
        monkeypatch.setattr("payorch_server.telemetry.collector._EXPORT_TIMEOUT_S", 0.01)
        telemetry = start_telemetry(TelemetrySettings(traces="otlp", otlp_endpoint=UNREACHABLE))
        before = dropped(telemetry)

        spans(telemetry, 3)
        for recipient in telemetry._recipients:
            recipient.shutdown()

        none = {"queue_full": 0.0, "export_failed": 0.0, "held": 0.0}
        assert (none, none | {"export_failed": 3.0}) == (before, dropped(telemetry))

    @pytest.mark.parametrize("traces", ["otlp", "otlp_http"])
    def test_sends_sums_from_the_start(
        self, traces: Literal["otlp", "otlp_http"], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Counters and histograms alike, whatever the environment prefers."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")

        exporter = Collector(TelemetrySettings(traces=traces, otlp_endpoint=UNREACHABLE), None).metric_exporter()

        assert {AggregationTemporality.CUMULATIVE} == set(exporter._preferred_temporality.values())

    def test_writes_lines_for_people(self, capfd: pytest.CaptureFixture[str]) -> None:
        """To standard error."""
        telemetry = start_telemetry(TelemetrySettings(traces="console"))
        (span,) = spans(telemetry)

        telemetry.shutdown()

        assert f"> {span.get_span_context().span_id:016x}" in capfd.readouterr().err

    def test_records_nothing_that_nobody_receives(self) -> None:
        """The ids are there all the same: Track-Ids are made of them."""
        (span,) = spans(start_telemetry(TelemetrySettings()))

        assert (False, True) == (span.is_recording(), span.get_span_context().is_valid)

    def test_gives_receivers_what_may_be_told(self) -> None:
        """They stand behind the same table as the collector."""
        kept = KeptSpans()
        telemetry = start_telemetry(TelemetrySettings(), processors=(kept,))

        telemetry.tracer.start_span("call", attributes={"secret": "4111111111111111", "error.type": "x" * 1000}).end()

        assert [{"error.type": "x" * 256}] == [dict(span.attributes or {}) for span in kept.spans]
