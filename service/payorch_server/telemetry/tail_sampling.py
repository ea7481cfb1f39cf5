"""Tail sampling: at the end of a call decides whether its spans are sent. Failed and slow calls always are."""

from collections.abc import Callable
from typing import Final

from opentelemetry.trace import SpanKind, StatusCode

from payorch_server.telemetry.recorded_spans import CallTrace, Fate, RecordedSpan, SpanRecipient
from payorch_server.telemetry.settings import SamplingSettings

_MAX_CALLS: Final = 4096
# The random part of a trace id. Source: W3C Trace Context Level 2, random trace id flag (read 2026-11-20).
_RANDOM_BITS: Final = 56


class TailSampling:
    """Holds the spans of each call until its outermost one ends, then passes all of them on or none.

    Spans that end later, of an execution whose caller left, follow the decision. A span in another trace that links to
    the outermost span of an open call belongs to that call. What is held is bounded: beyond that the oldest call loses
    its spans.
    """

    def __init__(self, settings: SamplingSettings, *, then: SpanRecipient, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._then = then
        self._monotonic = monotonic
        self._calls: dict[int, CallTrace] = {}
        """Those that are undecided, by the span id of their outermost span, the oldest first."""
        self._held = 0
        # A bucket for less than one call would never let one through.
        self._most_allowed = max(settings.callers_per_s, 1.0)
        self._allowance, self._filled_s = self._most_allowed, monotonic()
        self.dropped = 0
        """Spans that were lost because too many were held."""

    def __repr__(self) -> str:
        return f"TailSampling({len(self._calls)} calls, {self._held} spans held, {self.dropped} dropped)"

    def on_start(self, span: RecordedSpan, parent: RecordedSpan | None) -> None:
        """Find out which call a span belongs to."""
        span.call = parent.call if parent else self._linked(span)
        if span.call is None:
            span_id = span.context.span_id
            span.call = self._calls[span_id] = CallTrace(span_id)
            if len(self._calls) > _MAX_CALLS:
                self._lose(next(iter(self._calls.values())))

    def _linked(self, span: RecordedSpan) -> CallTrace | None:
        return next((call for link in span.links if (call := self._calls.get(link.context.span_id))), None)

    def on_end(self, span: RecordedSpan) -> None:
        """Hold a span, pass it on, or drop it."""
        call = span.call
        # 1. Its call is in progress, or ends with it.
        if call and call.fate is Fate.UNDECIDED:
            call.ended.append(span)
            self._held += 1
            call.failed = call.failed or _is_failure(span)
            if span.context.span_id == call.root_id:
                self._decide(call, keep=self._is_wanted(call, span))
            if self._held > self._settings.max_held_spans:
                self._make_room()
        # 2. It ends later than its call, and follows the decision.
        elif call and call.fate is Fate.KEPT:
            self._then.on_end(span)
        elif call is None or call.fate is Fate.LOST:
            self.dropped += 1

    def _decide(self, call: CallTrace, *, keep: bool) -> None:
        del self._calls[call.root_id]
        call.fate = Fate.KEPT if keep else Fate.UNWANTED
        self._held -= len(call.ended)
        for span in call.ended if keep else ():
            self._then.on_end(span)
        call.ended.clear()

    def _is_wanted(self, call: CallTrace, root: RecordedSpan) -> bool:
        duration_s = ((root.end_time or 0) - (root.start_time or 0)) / 1e9
        if call.failed or root.kind is not SpanKind.SERVER or duration_s >= self._settings.slow_s:
            return True
        # At or above a threshold, so that all samplers of the same convention keep the same traces.
        # Source: OpenTelemetry, "TraceState: Probability Sampling" (read 2026-11-20).
        randomness = root.context.trace_id & (2**_RANDOM_BITS - 1)
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

    def _drop_held(self, call: CallTrace) -> None:
        self._held -= len(call.ended)
        self.dropped += len(call.ended)
        call.ended.clear()

    def _lose(self, call: CallTrace) -> None:
        self._drop_held(call)
        call.fate = Fate.LOST
        del self._calls[call.root_id]

    def shutdown(self) -> None:
        """Pass on what is held of calls that were cut, and end what comes after."""
        for call in list(self._calls.values()):
            self._decide(call, keep=True)
        self._then.shutdown()


def _is_failure(span: RecordedSpan) -> bool:
    """Return whether a span records a failure: refusals have an error type without being server faults."""
    return span.status.status_code is StatusCode.ERROR or "error.type" in span.attributes
