"""The SDK's readers of metrics, which also read the histograms that sum up by themselves."""

from collections.abc import Sequence
from dataclasses import replace

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics.export import (  # noqa: TID251 - this package owns it
    Metric,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)

from payorch_server.telemetry.instruments import histograms_of, now_ns


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


class ExportingReader(HistogramReader, PeriodicExportingMetricReader):
    """Sends metrics to a collector."""


def _with(metrics: Sequence[Metric], data: MetricsData) -> MetricsData:
    """Return data with further metrics of the first scope, which is ours."""
    resource = data.resource_metrics[0]
    scope, *others = resource.scope_metrics
    own = replace(scope, metrics=[*scope.metrics, *(metric for metric in metrics if metric.data.data_points)])
    return replace(data, resource_metrics=[replace(resource, scope_metrics=[own, *others])])
