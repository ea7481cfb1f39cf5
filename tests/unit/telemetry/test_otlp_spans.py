import pytest
from harness.span_operations import Operations, operations
from harness.spans import KeptRecords, tracer_over
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as encode_by_sdk
from opentelemetry.sdk.trace import SpanLimits  # noqa: TID251 - as the service limits spans
from payorch_server.telemetry import otlp_spans
from payorch_server.telemetry.otlp_spans import encode_spans
from payorch_server.telemetry.recorded_spans import RecordedSpan


def recorded(*made: Operations, limits: SpanLimits | None = None) -> list[RecordedSpan]:
    """Return ended spans."""
    kept = KeptRecords()
    tracer = tracer_over(kept, limits=limits)
    for operations_of_one in made:
        operations_of_one.apply(tracer)
    return kept.spans


def span_with(value: object, *, name: str = "zuora.codes") -> list[RecordedSpan]:
    """Return an ended span with one attribute."""
    kept = KeptRecords()
    span = tracer_over(kept).start_span("call")
    span.set_attribute(name, value)  # type: ignore[arg-type] # also what is none
    span.end()
    return kept.spans


class TestEncodedSpans:
    """They are what the SDK's encoder makes of them."""

    @settings(deadline=None, max_examples=150)
    @given(made=st.lists(operations(), min_size=1, max_size=3))
    def test_equal_those_of_the_sdk(self, made: list[Operations]) -> None:
        """To the byte."""
        spans = recorded(*made)

        theirs = encode_by_sdk([span.readable() for span in spans])

        assert theirs.SerializeToString(deterministic=True) == encode_spans(spans).SerializeToString(deterministic=True)

    @settings(deadline=None, max_examples=50)
    @given(made=operations())
    def test_count_what_the_limits_drop(self, made: Operations) -> None:
        """Attributes, events and links."""
        limits = SpanLimits(max_events=1, max_links=1, max_attributes=1, max_attribute_length=2)
        spans = recorded(made, limits=limits)

        assert encode_by_sdk([span.readable() for span in spans]) == encode_spans(spans)

    def test_leave_time_to_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A batch of hundreds would keep the interpreter's lock for milliseconds."""
        releases: list[float] = []
        monkeypatch.setattr(otlp_spans.time, "sleep", releases.append)
        kept = KeptRecords()
        tracer = tracer_over(kept)
        for _ in range(96):
            tracer.start_span("call").end()

        encode_spans(kept.spans)

        assert [0, 0, 0] == releases

    def test_lose_an_attribute_that_cannot_be_encoded(self) -> None:
        """And no other, and no span."""
        kept = KeptRecords()
        span = tracer_over(kept).start_span("call", attributes={"broken": "\ud800", "large": 2**64, "good": "value"})
        span.end()

        (encoded,) = encode_spans(kept.spans).resource_spans[0].scope_spans[0].spans

        assert ["good"] == [attribute.key for attribute in encoded.attributes]
