"""The export of spans: in batches, from a thread of its own; no call waits for it."""

import threading
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor  # noqa: TID251 - one of the SDK's parts
from opentelemetry.sdk.trace.export import (  # noqa: TID251 - one of the SDK's parts
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.trace import INVALID_SPAN_CONTEXT, StatusCode

from payorch_server.telemetry.recorded_spans import RecordedSpan
from payorch_server.telemetry.span_allowlist import strip_unlisted

MAX_WAITING: Final = 2048
"""Spans that wait to be sent, at most; a second's worth of some hundred calls."""
_BATCH: Final = 512
FLUSH_S: Final = 5.0
"""How long the end of the process waits for a collector that does not accept what is left."""


class SpanSender(Protocol):
    """Sends spans as they are recorded."""

    def send(self, spans: Sequence[RecordedSpan]) -> SpanExportResult:
        """Send a batch of one span at least; it may block."""
        ...

    def shutdown(self) -> None:
        """End; a batch that is being sent is given up."""
        ...


class SdkSender:
    """Sends through any exporter of the SDK, which takes ReadableSpans."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def send(self, spans: Sequence[RecordedSpan]) -> SpanExportResult:
        """Send a batch."""
        return self._exporter.export([span.readable() for span in spans])

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()


class ProcessorRecipient:
    """Gives a span processor of the SDK each span that starts, and as it may be exported when it has ended."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._processor = processor

    def on_start(self, span: RecordedSpan, parent: RecordedSpan | None) -> None:  # noqa: ARG002 - the protocol
        """Pass it on: it is a span of the API, though not the SDK's."""
        self._processor.on_start(span)  # type: ignore[arg-type] # as its docstring says

    def on_end(self, span: RecordedSpan) -> None:
        """Pass on what may be exported of it."""
        self._processor.on_end(strip_unlisted(span).readable())

    def shutdown(self) -> None:
        """End the processor."""
        self._processor.shutdown()


class CountingBatchProcessor:
    """Sends spans; what a collector does not accept, or not fast enough, is dropped and counted."""

    def __init__(self, sender: SpanSender, *, max_waiting: int = MAX_WAITING, delay_s: float = 1.0) -> None:
        """Start the thread.

        Args:
            sender: What sends a batch.
            max_waiting: Spans that wait to be sent, at most.
            delay_s: How long a span waits for others to fill its batch.
        """
        self._exporter = _CountingExporter(sender)
        self._max_waiting = max_waiting
        self._batches = BatchSpanProcessor(
            self._exporter,
            max_queue_size=max_waiting,
            max_export_batch_size=min(_BATCH, max_waiting),
            schedule_delay_millis=delay_s * 1000,
        )
        self._entered = 0
        self.queue_full = 0
        """Spans that were dropped because too many were waiting."""

    def __repr__(self) -> str:
        waiting = self._entered - self._exporter.accepted
        return f"CountingBatchProcessor({waiting} waiting, {self.queue_full + self.export_failed} dropped)"

    @property
    def export_failed(self) -> int:
        """Spans of batches that were not accepted."""
        return self._exporter.failed

    def on_start(self, span: RecordedSpan, parent: RecordedSpan | None) -> None:
        """Do nothing: only spans that have ended are sent."""

    def on_end(self, span: RecordedSpan) -> None:
        """Queue a span for its batch, unless the queue is full.

        The SDK's own queue is bounded as well, but does not count what it drops.
        """
        if self._entered - self._exporter.accepted >= self._max_waiting:
            self.queue_full += 1
            return
        self._entered += 1
        self._batches.on_end(span)  # type: ignore[arg-type] # it only hands it to the exporter below

    def shutdown(self) -> None:
        """Send what is left, for FLUSH_S at most and one attempt that is under way."""
        give_up = threading.Timer(FLUSH_S, self._exporter.shutdown)
        give_up.daemon = True
        give_up.start()
        try:
            self._batches.shutdown()  # type: ignore[no-untyped-call] # as the SDK declares it
        finally:
            give_up.cancel()


class _CountingExporter(SpanExporter):
    """Sends what may be exported of spans, counts them, and counts those that could not be sent."""

    def __init__(self, sender: SpanSender) -> None:
        self._sender = sender
        self._ended = False
        self.accepted = 0
        self.failed = 0

    def export(self, spans: Sequence[RecordedSpan]) -> SpanExportResult:  # type: ignore[override] # see above
        self.accepted += len(spans)
        result = SpanExportResult.FAILURE
        try:
            if not self._ended:
                result = self._sender.send([strip_unlisted(span) for span in spans])
        finally:
            if result is not SpanExportResult.SUCCESS:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        if not self._ended:
            self._ended = True
            self._sender.shutdown()


_SHOWN_BEFORE: Final = frozenset({"rpc.method", "rpc.system.name", "url.template"})


def span_line(span: ReadableSpan) -> str:
    """Return trace id, parent, duration, name and attributes of a span, and a line feed."""
    context = span.get_span_context() or INVALID_SPAN_CONTEXT
    below = f"{span.parent.span_id:016x}" if span.parent else "-" * 16
    duration_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    mark = "!" if span.status.status_code is StatusCode.ERROR else " "
    ids = f"{context.trace_id:032x} {below} > {context.span_id:016x}"
    return " ".join((ids, f"{duration_ms:9.2f} ms", mark, span.name, *_attributes(span))) + "\n"


def _attributes(span: ReadableSpan) -> Iterator[str]:
    for name, value in (span.attributes or {}).items():
        if name not in _SHOWN_BEFORE:
            yield f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
