"""Decides at the end of a call whether its spans are worth sending: what failed or was slow always is."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor  # noqa: TID251 - one of the SDK's parts
from opentelemetry.trace import SpanKind, StatusCode

from payorch_server.runtime.settings import SamplingSettings

KEEP: Final = "payorch.keep"
"""An attribute by which whoever makes a span says that its call must be kept."""
_MAX_CALLS: Final = 4096
# The random part of a trace id. Source: W3C Trace Context Level 2, random trace id flag.
_RANDOM_BITS: Final = 56


@dataclass(slots=True)
class _Call:
    """The spans of one call in this process."""

    root_id: int
    span_ids: list[int] = field(default_factory=list)
    ended: list[ReadableSpan] = field(default_factory=list)
    failed: bool = False
    kept: bool | None = None
    """None until the root has ended."""


class TailSampling(SpanProcessor):
    """Holds the spans of each call until its outermost one ends, then passes all of them on or none.

    Spans that end later, of a flight whose caller left, follow the decision. What it holds is bounded: beyond that the
    oldest call is passed on or dropped as if it had ended.
    """

    def __init__(self, settings: SamplingSettings, *, then: SpanProcessor, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._then = then
        self._monotonic = monotonic
        self._calls: OrderedDict[int, _Call] = OrderedDict()
        self._by_span: dict[int, _Call] = {}
        self._held = 0
        self._allowance, self._filled_s = settings.callers_per_s, monotonic()
        self.dropped = 0
        """Spans that were lost because too many were held."""

    def __repr__(self) -> str:
        return f"TailSampling({len(self._calls)} calls, {self._held} spans held, {self.dropped} dropped)"

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Find out which call a span belongs to."""
        span_id, parent = span.get_span_context().span_id, span.parent
        call = self._by_span.get(parent.span_id) if parent and not parent.is_remote else None
        if call is None:
            call = _Call(span_id)
            self._calls[span_id] = call
            while len(self._calls) > _MAX_CALLS:
                self._forget(next(iter(self._calls.values())))
        call.span_ids.append(span_id)
        self._by_span[span_id] = call
        self._then.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hold a span, pass it on, or drop it."""
        call = self._by_span.get(span.get_span_context().span_id)
        if call is None:
            return
        call.failed |= span.status.status_code is StatusCode.ERROR or bool((span.attributes or {}).get(KEEP))
        if call.kept is None:
            call.ended.append(span)
            self._held += 1
        elif call.kept:
            self._then.on_end(span)
        if span.get_span_context().span_id == call.root_id:
            self._decide(call, span)
        if self._held > self._settings.max_held_spans:
            self._give_up_oldest()

    def _decide(self, call: _Call, root: ReadableSpan) -> None:
        call.kept = self._is_wanted(call, root)
        self._held -= len(call.ended)
        if call.kept:
            for span in call.ended:
                self._then.on_end(span)
        call.ended.clear()

    def _is_wanted(self, call: _Call, root: ReadableSpan) -> bool:
        duration_s = ((root.end_time or 0) - (root.start_time or 0)) / 1e9
        if call.failed or root.kind is not SpanKind.SERVER or duration_s >= self._settings.slow_s:
            return True
        trace_id = root.get_span_context().trace_id
        if (trace_id & (2**_RANDOM_BITS - 1)) < self._settings.ratio * 2**_RANDOM_BITS:
            return True
        return bool(root.parent and root.parent.trace_flags.sampled) and self._is_allowed()

    def _is_allowed(self) -> bool:
        """Tell whether one more call may be kept because its caller wants it; a caller alone must not set our cost."""
        now_s = self._monotonic()
        filled = self._allowance + (now_s - self._filled_s) * self._settings.callers_per_s
        self._allowance, self._filled_s = min(filled, self._settings.callers_per_s), now_s
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _give_up_oldest(self) -> None:
        """Drop what the oldest undecided call holds."""
        call = next(one for one in self._calls.values() if one.ended)
        self._held -= len(call.ended)
        self.dropped += len(call.ended)
        call.ended.clear()

    def _forget(self, call: _Call) -> None:
        self._held -= len(call.ended)
        self.dropped += len(call.ended)
        del self._calls[call.root_id]
        for span_id in call.span_ids:
            del self._by_span[span_id]

    def shutdown(self) -> None:
        """End what comes after."""
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was passed on."""
        return self._then.force_flush(timeout_millis)
