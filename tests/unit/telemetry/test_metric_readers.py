"""Histograms of ours are exported as the SDK's own would be."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider  # noqa: TID251 - to read what was measured
from opentelemetry.sdk.metrics.export import (  # noqa: TID251
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from payorch_server.telemetry.instruments import BUCKETS_S, CheapHistogram, observe
from payorch_server.telemetry.metric_readers import ExportingReader, ExposedRegistry, ScrapedReader
from payorch_server.telemetry.recorded_spans import CallTrace, Fate
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

SAMPLED = SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
NOT_SAMPLED = SpanContext(7, 8, is_remote=False)


class _Kept(MetricExporter):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, *_limits: Any, **_more: Any) -> MetricExportResult:
        """Keep it."""
        self.data.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, *_limits: Any) -> bool:
        """Return that nothing is left."""
        return True

    def shutdown(self, *_limits: Any, **_more: Any) -> None:
        """Do nothing."""


class _SpanOfCall(NonRecordingSpan):
    """A span that the sampling has assigned to a call."""

    call: CallTrace | None


@dataclass(frozen=True, slots=True)
class Both:
    """One histogram of ours and one of the SDK, with the same name."""

    ours: CheapHistogram
    theirs: Any
    exported_ours: Any
    exported_theirs: Any
    scraped_ours: CollectorRegistry
    scraped_theirs: CollectorRegistry

    def record(self, duration_s: float, kind: str, code: int | None, span: SpanContext) -> None:
        """Record with both."""
        with trace.use_span(NonRecordingSpan(span)):
            self.ours.record(duration_s, kind, code)
            self.theirs.record(duration_s, {"kind": kind} | ({"code": code} if code is not None else {}))

    def points(self) -> tuple[list[Any], list[Any]]:
        """Return what is exported of both, without times, which differ."""
        return _points(self.exported_ours()), _points(self.exported_theirs())

    def scraped(self) -> tuple[list[str], list[str]]:
        """Return the series of both."""
        return _series(self.scraped_ours), _series(self.scraped_theirs)


def made() -> Both:
    """Make both, each with readers of both kinds."""
    kept, memory, registries = _Kept(), InMemoryMetricReader(), (CollectorRegistry(), CollectorRegistry())
    readers = ScrapedReader(registry=registries[0]), ExportingReader(kept, export_interval_millis=float("inf"))
    own = MeterProvider(metric_readers=readers, shutdown_on_exit=False).get_meter("test")
    for reader in readers:
        reader.meter = own
    provider = MeterProvider(
        metric_readers=[memory, PrometheusMetricReader(registry=registries[1])], shutdown_on_exit=False
    )
    sdk = provider.get_meter("test")
    for meter in (own, sdk):
        observe(meter, "always", lambda: [Observation(1)], unit="1", description="There is always a metric.")
    theirs = sdk.create_histogram(
        "duration", unit="s", description="Durations.", explicit_bucket_boundaries_advisory=BUCKETS_S
    )

    def exported() -> MetricsData:
        readers[1].collect()
        return kept.data[-1]

    return Both(
        CheapHistogram(own, "duration", ("kind", "code"), description="Durations."),
        theirs,
        exported,
        memory.get_metrics_data,
        *registries,
    )


def _points(data: MetricsData) -> list[Any]:
    (scope,) = data.resource_metrics[0].scope_metrics
    found = []
    for metric in scope.metrics:
        if metric.name == "duration":
            found.append((metric.description, metric.unit, metric.data.aggregation_temporality))  # type: ignore[union-attr] # a histogram
            found += [_without_times(point) for point in metric.data.data_points]
    return found


def _without_times(point: Any) -> Any:
    assert point.start_time_unix_nano <= point.time_unix_nano
    names = ("attributes", "count", "bucket_counts", "explicit_bounds", "min", "max")
    exemplars = sorted((found.value, found.span_id, found.trace_id) for found in point.exemplars)
    # The SDK adds in another order.
    return {name: getattr(point, name) for name in names}, round(point.sum, 6), exemplars


def _series(registry: CollectorRegistry) -> list[str]:
    lines = [line.rpartition(" ") for line in generate_latest(registry).decode().splitlines() if "duration" in line]
    return sorted(f"{name} {value if name[0] == '#' else round(float(value), 6)}" for name, _, value in lines)


durations = st.floats(0, 100) | st.sampled_from(BUCKETS_S)
kinds, codes, spans = (
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, 200, 500]),
    st.sampled_from([SAMPLED, NOT_SAMPLED]),
)


class TestHistogram:
    """What readers see."""

    @settings(max_examples=50, deadline=None)
    @given(rounds=st.lists(st.lists(st.tuples(durations, kinds, codes, spans), max_size=8), min_size=1, max_size=3))
    def test_is_that_of_the_sdk(self, rounds: list[list[tuple[float, str, int | None, SpanContext]]]) -> None:
        """Attributes, bounds, counts and exemplars are equal in each of several collections, in both formats."""
        both = made()
        for recorded in rounds:
            for duration in recorded:
                both.record(*duration)
            ours, theirs = both.points()
            assert theirs == ours
            scraped_ours, scraped_theirs = both.scraped()
            assert scraped_theirs == scraped_ours

    @pytest.mark.parametrize(
        ("fate", "is_shown"),
        [(Fate.KEPT, True), (None, True), (Fate.UNWANTED, False), (Fate.LOST, False), (Fate.UNDECIDED, False)],
    )
    def test_has_exemplars_of_traces_that_were_sent(self, fate: Fate | None, is_shown: bool) -> None:  # noqa: FBT001
        """In OpenMetrics; a link to a trace that sampling left out would lead to nothing."""
        registry = ExposedRegistry()
        reader = ScrapedReader(registry=registry)
        meter = MeterProvider(metric_readers=[reader], shutdown_on_exit=False).get_meter("test")
        registry.meter = reader.meter = meter
        observe(meter, "always", lambda: [Observation(1)], unit="1", description="There is always a metric.")
        histogram = CheapHistogram(meter, "duration", ("kind.of", "code"), description="Durations.")
        span = _SpanOfCall(SAMPLED)
        span.call = CallTrace(8, fate=fate) if fate else None

        with trace.use_span(span):
            histogram.record(0.3, "a", None)
            histogram.record(99.0, "a", 500)

        lines = openmetrics.generate_latest(registry).decode().splitlines()
        found = [re.sub(r',?otel_scope_\w+="\w*"', "", line) for line in lines if "trace_id" in line]
        of_trace = f'# {{trace_id="{SAMPLED.trace_id:032x}"}}'
        both = [
            f'duration_seconds_bucket{{code="500",kind_of="a",le="+Inf"}} 1.0 {of_trace} 99.0',
            f'duration_seconds_bucket{{code="",kind_of="a",le="0.5"}} 1.0 {of_trace} 0.3',
        ]
        assert sorted(line.rpartition(" ")[0] for line in found) == (sorted(both) if is_shown else [])

    def test_is_of_its_own_meter(self) -> None:
        """Two services in one process keep their metrics apart."""
        both, other = made(), made()
        other.record(1.0, "a", None, NOT_SAMPLED)

        assert both.points() == ([], [])
