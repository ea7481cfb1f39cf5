"""Tail sampling: at the end of a call decides whether its spans are sent. Failed and slow calls always are."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor  # noqa: TID251 - one of the SDK's parts
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, SpanKind, StatusCode

from payorch_server.telemetry.settings import SamplingSettings

_MAX_CALLS: Final = 4096
# The random part of a trace id. Source: W3C Trace Context Level 2, random trace id flag (read 2026-11-20).
_RANDOM_BITS: Final = 56


@dataclass(slots=True)
class _Call:
    """The spans of one call in this process."""

    root_id: int
    span_ids: list[int] = field(default_factory=list)
    open: int = 0
    """How many of them have not ended."""
    ended: list[ReadableSpan] = field(default_factory=list)
    """Those that wait for the decision."""
    failed: bool = False
    kept: bool | None = None
    """None until the root has ended."""


class TailSampling(SpanProcessor):
    """Holds the spans of each call until its outermost one ends, then passes all of them on or none.

    Spans that end later, of an execution whose caller left, follow the decision. A span in another trace that links to
    a span of an open call belongs to that call. What is held is bounded: beyond that the oldest call loses its spans.
    """

    def __init__(self, settings: SamplingSettings, *, then: SpanProcessor, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._then = then
        self._monotonic = monotonic
        self._calls: OrderedDict[int, _Call] = OrderedDict()
        self._by_span: dict[int, _Call] = {}
        self._held = 0
        # A bucket for less than one call would never let one through.
        self._most_allowed = max(settings.callers_per_s, 1.0)
        self._allowance, self._filled_s = self._most_allowed, monotonic()
        self.dropped = 0
        """Spans that were lost because too many were held."""

    def __repr__(self) -> str:
        return f"TailSampling({len(self._calls)} calls, {self._held} spans held, {self.dropped} dropped)"

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Find out which call a span belongs to."""
        span_id = span.get_span_context().span_id
        call = self._call_of(span)
        if call is None:
            call = self._calls[span_id] = _Call(span_id)
            if len(self._calls) > _MAX_CALLS:
                self._lose(next(iter(self._calls.values())))
        call.span_ids.append(span_id)
        call.open += 1
        self._by_span[span_id] = call
        self._then.on_start(span, parent_context)

    def _call_of(self, span: ReadableSpan) -> _Call | None:
        if span.parent is not None and not span.parent.is_remote:
            return self._by_span.get(span.parent.span_id)
        return next((call for link in span.links if (call := self._by_span.get(link.context.span_id))), None)

    def on_end(self, span: ReadableSpan) -> None:
        """Hold a span, pass it on, or drop it."""
        span_id = _context(span).span_id
        call = self._by_span.get(span_id)
        if call is None:
            self.dropped += 1
            return
        call.open -= 1
        call.failed = call.failed or _is_failure(span)
        if call.kept is None:
            call.ended.append(span)
            self._held += 1
        elif call.kept:
            self._then.on_end(span)
        if span_id == call.root_id:
            self._decide(call, keep=self._is_wanted(call, span))
        if call.kept is not None and not call.open:
            self._forget(call)
        if self._held > self._settings.max_held_spans:
            self._make_room()

    def _decide(self, call: _Call, *, keep: bool) -> None:
        call.kept = keep
        self._held -= len(call.ended)
        for span in call.ended if keep else ():
            self._then.on_end(span)
        call.ended.clear()

    def _is_wanted(self, call: _Call, root: ReadableSpan) -> bool:
        duration_s = ((root.end_time or 0) - (root.start_time or 0)) / 1e9
        if call.failed or root.kind is not SpanKind.SERVER or duration_s >= self._settings.slow_s:
            return True
        # At or above a threshold, so that all samplers of the same convention keep the same traces.
        # Source: OpenTelemetry, "TraceState: Probability Sampling" (read 2026-11-20).
        randomness = _context(root).trace_id & (2**_RANDOM_BITS - 1)
        if randomness >= (1.0 - self._settings.ratio) * 2**_RANDOM_BITS:
            return True
        return bool(root.parent and root.parent.trace_flags.sampled) and self._is_allowed()

    def _is_allowed(self) -> bool:
        """Return whether another call may be kept because its caller samples it; callers must not set our cost."""
        now_s = self._monotonic()
        filled = self._allowance + (now_s - self._filled_s) * self._settings.callers_per_s
        self._allowance, self._filled_s = min(filled, self._most_allowed), now_s
        if not self._settings.callers_per_s or self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _make_room(self) -> None:
        """Drop what the oldest undecided call holds."""
        oldest = next(call for call in self._calls.values() if call.ended)
        self._drop_held(oldest)

    def _drop_held(self, call: _Call) -> None:
        self._held -= len(call.ended)
        self.dropped += len(call.ended)
        call.ended.clear()

    def _lose(self, call: _Call) -> None:
        self._drop_held(call)
        self._forget(call)

    def _forget(self, call: _Call) -> None:
        del self._calls[call.root_id]
        for span_id in call.span_ids:
            del self._by_span[span_id]

    def shutdown(self) -> None:
        """Pass on what is held of calls that were cut, and end what comes after."""
        for call in self._calls.values():
            if call.kept is None:
                self._decide(call, keep=True)
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was passed on."""
        return self._then.force_flush(timeout_millis)


def _context(span: ReadableSpan) -> SpanContext:
    return span.get_span_context() or INVALID_SPAN_CONTEXT


def _is_failure(span: ReadableSpan) -> bool:
    """Return whether a span records a failure: refusals have an error type without being server faults."""
    return span.status.status_code is StatusCode.ERROR or "error.type" in (span.attributes or {})
