"""Real spans, and what keeps them."""

from opentelemetry.sdk.trace import (  # noqa: TID251 - processors take the SDK's spans
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: TID251 - as the service samples at a span's start
from payorch_server.telemetry.recorded_spans import RecordedSpan, RecordingTracer, SpanRecipient


class KeptSpans(SpanProcessor):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.ended = False

    @property
    def names(self) -> list[str]:
        """The spans' names, in order."""
        return [span.name for span in self.spans]

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span."""
        self.spans.append(span)

    def shutdown(self) -> None:
        """Note it."""
        self.ended = True


class KeptRecords:
    """Keeps spans as they were recorded."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []
        self.ended = False

    @property
    def names(self) -> list[str]:
        """The spans' names, in order."""
        return [span.name for span in self.spans]

    def on_start(self, span: RecordedSpan, parent: RecordedSpan | None) -> None:
        """Wait for the end."""

    def on_end(self, span: RecordedSpan) -> None:
        """Keep a span."""
        self.spans.append(span)

    def shutdown(self) -> None:
        """Note it."""
        self.ended = True


def sdk_tracer(processor: SpanProcessor | None = None, *, limits: SpanLimits | None = None) -> Tracer:
    """Return a tracer of the SDK's whose spans all go to a processor, if there is one."""
    provider = TracerProvider(shutdown_on_exit=False, sampler=ALWAYS_ON, span_limits=limits)
    if processor:
        provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    assert isinstance(tracer, Tracer)
    return tracer


def tracer_over(*recipients: SpanRecipient, limits: SpanLimits | None = None) -> RecordingTracer:
    """Return a tracer whose spans all go to recipients."""
    return RecordingTracer(sdk_tracer(), name="test", limits=limits or SpanLimits(), recipients=recipients)
