"""The only module that knows the OpenTelemetry SDK and Prometheus."""

import contextlib
from collections.abc import Sequence

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider  # noqa: TID251 - this is the owner
from opentelemetry.sdk.resources import Resource  # noqa: TID251 - this is the owner
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider  # noqa: TID251 - this is the owner
from opentelemetry.sdk.trace.export import (  # noqa: TID251 - this is the owner
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased  # noqa: TID251 - this is the owner
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from payorch_server.runtime.settings import TelemetrySettings

PROPAGATOR = TraceContextTextMapPropagator()


class Telemetry:
    """Tracer and meter of a running service, and what must be flushed before it ends."""

    def __init__(self, provider: TracerProvider, meters: MeterProvider, registry: CollectorRegistry) -> None:
        self._provider = provider
        self._meters = meters
        self._registry = registry
        self.tracer: trace.Tracer = provider.get_tracer("payorch")
        self.meter: metrics.Meter = meters.get_meter("payorch")

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as Prometheus reads them, and their content type.

        Args:
            accept: The reader's Accept header, which names the formats that it understands.
        """
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type

    def shutdown(self) -> None:
        """Export what is left; blocks for as long as the exporter takes."""
        self._provider.shutdown()
        self._meters.shutdown()


class _Harmless(SpanProcessor):
    """Keeps a receiver of spans that fails from failing the call that made the span."""

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        with contextlib.suppress(Exception):
            self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        with contextlib.suppress(Exception):
            self._inner.on_end(span)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def start_telemetry(settings: TelemetrySettings, *, processors: Sequence[SpanProcessor] = ()) -> Telemetry:
    """Build tracer and meter.

    Nothing global is set: two services in one process keep their spans apart.

    Args:
        settings: Where spans go.
        processors: Further span processors, such as one that keeps spans for a person to look at.
    """
    resource = Resource.create({"service.name": settings.service_name})
    # Without anybody to receive them spans keep their ids, which Track-Ids are made of, and record nothing.
    wanted = settings.traces != "none" or processors
    provider = TracerProvider(
        resource=resource, shutdown_on_exit=False, sampler=ParentBased(ALWAYS_ON) if wanted else ALWAYS_OFF
    )
    if settings.traces == "otlp":
        exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    elif settings.traces == "console":
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    for processor in processors:
        provider.add_span_processor(_Harmless(processor))
    registry = CollectorRegistry()
    meters = MeterProvider(metric_readers=[PrometheusMetricReader(registry=registry)], resource=resource)
    return Telemetry(provider, meters, registry)
