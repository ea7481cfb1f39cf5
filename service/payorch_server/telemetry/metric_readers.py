"""The SDK's readers of metrics, which also read the histograms that sum up by themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics.export import (  # noqa: TID251 - this package owns it
    Metric,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.trace import format_trace_id
from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.samples import Exemplar, Sample

from payorch_server.telemetry.instruments import BucketExemplar, histograms_of, now_ns


class HistogramReader(MetricReader):
    """A reader that is given the histograms of a meter as well."""

    meter: Meter | None = None
    _collected_ns = 0

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: object) -> None:
        since_ns, self._collected_ns = self._collected_ns, now_ns()
        histograms = histograms_of(self.meter) if self.meter else ()
        metrics = [histogram.metric(since_ns=since_ns, now_ns=self._collected_ns) for histogram in histograms]
        both = _with(metrics, metrics_data)
        super()._receive_metrics(both, timeout_millis, **more)  # type: ignore[safe-super] # the class beside it has it


class ScrapedReader(HistogramReader, PrometheusMetricReader):
    """Makes metrics ready for Prometheus."""


class ExposedRegistry(CollectorRegistry):
    """What is scraped: the buckets of our histograms have exemplars, which OpenTelemetry's reader leaves out.

    Each is the latest duration in the bucket whose trace was sent to the collector.
    """

    meter: Meter | None = None

    def collect(self) -> Iterator[Family]:
        """Yield all metrics."""
        histograms = histograms_of(self.meter) if self.meter else ()
        by_family = {f"{_in_prometheus(histogram.name)}_seconds": histogram for histogram in histograms}
        for family in super().collect():
            if histogram := by_family.get(family.name):
                found = {_bucket(attributes, le): exemplar for attributes, le, exemplar in histogram.kept_exemplars()}
                family.samples = [_with_exemplar(sample, found) for sample in family.samples]
            yield family


class ExportingReader(HistogramReader, PeriodicExportingMetricReader):
    """Sends metrics to a collector."""


def _with(metrics: Sequence[Metric], data: MetricsData) -> MetricsData:
    """Return data with further metrics of the first scope, which is ours."""
    resource = data.resource_metrics[0]
    scope, *others = resource.scope_metrics
    own = replace(scope, metrics=[*scope.metrics, *(metric for metric in metrics if metric.data.data_points)])
    return replace(data, resource_metrics=[replace(resource, scope_metrics=[own, *others])])


def _in_prometheus(name: str) -> str:
    return name.replace(".", "_")


def _bucket(attributes: Mapping[str, str | int], bound_s: float) -> frozenset[tuple[str, str]]:
    """Return the labels of a bucket's series."""
    le = "+Inf" if bound_s == float("inf") else str(bound_s)
    return frozenset({*((_in_prometheus(name), str(value)) for name, value in attributes.items()), ("le", le)})


def _with_exemplar(sample: Sample, found: Mapping[frozenset[tuple[str, str]], BucketExemplar]) -> Sample:
    own = {name: value for name, value in sample.labels.items() if value and not name.startswith("otel_scope_")}
    exemplar = found.get(frozenset(own.items()))
    if exemplar is None:
        return sample
    trace_id = format_trace_id(exemplar.span.trace_id)
    return sample._replace(exemplar=Exemplar({"trace_id": trace_id}, exemplar.duration_s, exemplar.at_ns / 1e9))
