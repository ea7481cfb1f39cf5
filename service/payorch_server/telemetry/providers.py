"""Tracer and meter of a running service. Only this package knows the OpenTelemetry SDK and Prometheus."""

import platform
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider  # noqa: TID251 - this is the owner
from opentelemetry.sdk.resources import Resource  # noqa: TID251 - this is the owner
from opentelemetry.sdk.trace import (  # noqa: TID251 - this is the owner
    SpanLimits,
    SpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: TID251 - this is the owner
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF  # noqa: TID251 - this is the owner
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from payorch_server import version
from payorch_server.runtime.clock import Clock, SystemClock
from payorch_server.telemetry.collector import Collector
from payorch_server.telemetry.export import CountingBatchProcessor, ProcessorRecipient, SdkSender, SpanSender, span_line
from payorch_server.telemetry.instruments import observe
from payorch_server.telemetry.metric_readers import ExportingReader, ExposedRegistry, HistogramReader, ScrapedReader
from payorch_server.telemetry.otlp_headers import OtlpHeaders
from payorch_server.telemetry.recorded_spans import RecordingTracer, SpanRecipient
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.telemetry.span_allowlist import MAX_CHARACTERS
from payorch_server.telemetry.tail_sampling import TailSampling

_NAME: Final = "payorch"
_METRICS_INTERVAL_S: Final = 30.0
_METRICS_FLUSH_S: Final = 4.0


class Telemetry:
    """Tracer and meter of a running service, and what must be flushed before it ends."""

    def __init__(
        self,
        tracer: trace.Tracer,
        recipients: Sequence[SpanRecipient],
        meters: MeterProvider,
        registry: CollectorRegistry,
        collector: Collector,
    ) -> None:
        self._recipients = recipients
        self._meters = meters
        self._registry = registry
        self._collector = collector
        self.tracer = tracer
        self.meter: metrics.Meter = meters.get_meter(_NAME)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as Prometheus reads them, and their content type.

        Args:
            accept: The reader's Accept header, which names the formats that it understands.
        """
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type

    def use_headers(self, headers: OtlpHeaders | None) -> None:
        """Send other headers to the collector from the next export on; None changes nothing."""
        if headers:
            self._collector.use_headers(headers)

    def shutdown(self) -> None:
        """Export what is left; blocks, for twelve seconds if no collector accepts it."""
        for recipient in self._recipients:
            recipient.shutdown()
        self._meters.shutdown(timeout_millis=_METRICS_FLUSH_S * 1000)


def start_telemetry(
    settings: TelemetrySettings,
    *,
    headers: OtlpHeaders | None = None,
    processors: Sequence[SpanProcessor] = (),
    clock: Clock | None = None,
) -> Telemetry:
    """Build tracer and meter.

    Nothing global is set: two services in one process keep their spans apart.

    Args:
        settings: Where spans and metrics go.
        headers: What is sent to the collector with them; None: nothing.
        processors: Further span processors, such as one that keeps spans for people to look at; they see every call.
        clock: Time; the machine's unless given.
    """
    resource = Resource.create({"service.name": settings.service_name, "service.version": version()})
    registry = ExposedRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    collector = Collector(settings, headers)
    readers = _metric_readers(settings, registry, collector)
    meters = MeterProvider(metric_readers=readers, resource=resource)
    recipients: list[SpanRecipient] = [ProcessorRecipient(processor) for processor in processors]
    if sender := _span_sender(settings, collector):
        batches = CountingBatchProcessor(sender)
        sampling = TailSampling(settings.sampling, then=batches, monotonic=(clock or SystemClock()).monotonic)
        recipients.append(sampling)
        _count_dropped(meters.get_meter(_NAME), batches, sampling)
    telemetry = Telemetry(_tracer(resource, recipients), recipients, meters, registry, collector)
    registry.meter = telemetry.meter
    for reader in readers:
        reader.meter = telemetry.meter
    _publish_build(telemetry.meter)
    return telemetry


def _publish_build(meter: metrics.Meter) -> None:
    build = {
        "version": version(),
        "python_version": platform.python_version(),
        "grpc_version": metadata.version("grpcio"),
    }
    observe(meter, "payorch.build.info", lambda: [Observation(1, build)], unit="1", description="What runs.")


def _tracer(resource: Resource, recipients: Sequence[SpanRecipient]) -> trace.Tracer:
    # Without a recipient spans keep their ids, which Track-Ids are made of, and record nothing. Callers'
    # own decisions count at the end of a call: a trace that is not sampled there still has its errors kept here.
    tracer = TracerProvider(resource=resource, shutdown_on_exit=False, sampler=ALWAYS_OFF).get_tracer(_NAME)
    # It is none of the SDK's where OTEL_SDK_DISABLED is set.
    if not recipients or not isinstance(tracer, Tracer):
        return tracer
    limits = SpanLimits(max_span_attribute_length=MAX_CHARACTERS)
    return RecordingTracer(tracer, name=_NAME, limits=limits, recipients=recipients)


def _span_sender(settings: TelemetrySettings, collector: Collector) -> SpanSender | None:
    if settings.traces in {"otlp", "otlp_http"}:
        return collector.span_sender()
    if settings.traces == "console":
        return SdkSender(ConsoleSpanExporter(out=sys.stderr, formatter=span_line))
    return None


def _metric_readers(
    settings: TelemetrySettings, registry: CollectorRegistry, collector: Collector
) -> Sequence[HistogramReader]:
    for_scraping = ScrapedReader(registry=registry)
    if not settings.otlp_metrics:
        return (for_scraping,)
    exporter = collector.metric_exporter()
    return for_scraping, ExportingReader(exporter, export_interval_millis=_METRICS_INTERVAL_S * 1000)


def _count_dropped(meter: metrics.Meter, batches: CountingBatchProcessor, sampling: TailSampling) -> None:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(batches.queue_full, {"reason": "queue_full"})
        yield Observation(batches.export_failed, {"reason": "export_failed"})
        yield Observation(sampling.dropped, {"reason": "held"})

    meter.create_observable_counter(
        "payorch.spans.dropped",
        callbacks=[observe],
        unit="{span}",
        description="Spans that were lost: too many waited for the collector, it did not take them, or too many were "
        "held for calls in progress.",
    )
