import contextlib
import json
from typing import Any

import pytest
from harness.span_operations import Operations, operations
from harness.spans import KeptRecords, KeptSpans, sdk_tracer, tracer_over
from hypothesis import given, settings
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits  # noqa: TID251 - what exporters take
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

SMALL = SpanLimits(
    max_events=2,
    max_links=2,
    max_span_attributes=3,
    max_event_attributes=1,
    max_link_attributes=1,
    max_attribute_length=4,
    max_span_attribute_length=5,
)


def comparable(span: ReadableSpan) -> dict[str, Any]:
    """Return all that a span shows, but for its own random ids."""
    shown = json.loads(span.to_json())
    shown["context"].pop("span_id")
    if not span.parent:
        shown["context"].pop("trace_id")
    assert span.context
    counts = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    details = (span.context.trace_flags, span.context.is_remote, span.parent, span.start_time, span.end_time)
    return shown | {"counts": counts, "details": details}


def by_sdk(made: Operations, limits: SpanLimits) -> ReadableSpan:
    """Return the span that the SDK's tracer makes."""
    kept = KeptSpans()
    made.apply(sdk_tracer(kept, limits=limits))
    return kept.spans[0]


def by_ours(made: Operations, limits: SpanLimits) -> ReadableSpan:
    """Return the span that our tracer makes."""
    kept = KeptRecords()
    made.apply(tracer_over(kept, limits=limits))
    return kept.spans[0].readable()


class TestARecordedSpan:
    """It is exported as the SDK's own would be."""

    @settings(deadline=None, max_examples=150)
    @given(made=operations())
    def test_equals_the_span_of_the_sdk(self, made: Operations) -> None:
        """Whatever is done to it, in whatever order, before its end and after it."""
        limits = SpanLimits()

        assert comparable(by_sdk(made, limits)) == comparable(by_ours(made, limits))

    def test_is_within_the_limits_of_the_sdk(self) -> None:
        """In number and length, and the dropped are counted."""
        long = {"a": "x" * 9, "b": ("y" * 9,), "c": 1}
        link = SpanContext(1, 2, is_remote=True)

        def fill(span: trace.Span) -> None:
            for number in range(3):
                span.add_event(f"event {number}", long, 1)
                span.add_link(link, long)
            span.set_attribute("d", True)

        made = Operations("call", SpanKind.SERVER, None, long, [(link, long)], [fill], [])

        assert comparable(by_sdk(made, SMALL)) == comparable(by_ours(made, SMALL))

    def test_may_be_the_current_one(self) -> None:
        """It ends with its block, and records an exception as the SDK's does."""
        kept, sdk = KeptRecords(), KeptSpans()

        for tracer in (tracer_over(kept), sdk_tracer(sdk)):
            _fail_inside(tracer)

        (ours,), (theirs,) = [span.readable() for span in kept.spans], sdk.spans
        assert (ours.status.description, [event.name for event in ours.events]) == (
            theirs.status.description,
            [event.name for event in theirs.events],
        )
        assert ours.status.status_code is StatusCode.ERROR

    def test_fails_no_call_when_its_recipient_does(self) -> None:
        """The next recipient has it all the same."""
        kept = KeptRecords()

        tracer_over(_Failing(), kept).start_span("call").end()

        assert ["call"] == kept.names


def _fail_inside(tracer: Tracer) -> None:
    with contextlib.suppress(ValueError), tracer.start_as_current_span("call") as span:
        assert trace.get_current_span() is span
        raise ValueError("inside")


class _Failing(KeptRecords):
    def on_start(self, *_: Any) -> None:
        raise RuntimeError

    def on_end(self, *_: Any) -> None:
        raise RuntimeError


class TestATrace:
    """Ids are the SDK's."""

    @pytest.mark.parametrize("flags", [TraceFlags.DEFAULT, TraceFlags.SAMPLED, TraceFlags.RANDOM_TRACE_ID])
    def test_is_continued_with_the_flags_of_the_sdk(self, flags: int) -> None:
        """All spans are sampled here; whether the trace id is random is its maker's to say."""
        parent = NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(flags)))
        context = trace.set_span_in_context(parent, Context())

        ours, theirs = (
            tracer.start_span("call", context).get_span_context() for tracer in (tracer_over(), sdk_tracer())
        )

        assert (7, theirs.trace_flags, False) == (ours.trace_id, ours.trace_flags, ours.is_remote)

    def test_starts_with_the_flags_of_the_sdk(self) -> None:
        """Its id is random."""
        ours, theirs = (
            tracer.start_span("call", Context()).get_span_context() for tracer in (tracer_over(), sdk_tracer())
        )

        assert theirs.trace_flags == ours.trace_flags
        assert ours.is_valid
