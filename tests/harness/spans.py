"""Real spans for processors, and a processor that keeps them."""

from opentelemetry.sdk.trace import (  # noqa: TID251 - processors take the SDK's spans
    ReadableSpan,
    SpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: TID251 - as the service samples at a span's start
from opentelemetry.trace import Tracer


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


def tracer_over(processor: SpanProcessor) -> Tracer:
    """Return a tracer whose spans all go to a processor."""
    provider = TracerProvider(shutdown_on_exit=False, sampler=ALWAYS_ON)
    provider.add_span_processor(processor)
    return provider.get_tracer("test")
