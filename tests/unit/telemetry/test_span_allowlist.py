import pytest
from harness.spans import KeptSpans, tracer_over
from opentelemetry.sdk.trace import ReadableSpan  # noqa: TID251 - what is exported
from opentelemetry.trace import Status, StatusCode
from payorch_server.telemetry.export import ProcessorRecipient
from payorch_server.telemetry.recorded_spans import RecordedSpan
from payorch_server.telemetry.span_allowlist import ATTRIBUTES, strip_unlisted

SECRET = "4111111111111111"


def exported(*spans: RecordedSpan) -> list[ReadableSpan]:
    """Return spans as they are exported."""
    return [strip_unlisted(span).readable() for span in spans]


def span_with(**attributes: str) -> RecordedSpan:
    """Make a span; dots in names are written as two underscores."""
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return tracer_over().start_span("call", attributes=named)


class TestPermitted:
    """A span says what the table lists and nothing else."""

    def test_leaves_a_span_of_listed_things_as_it_is(self) -> None:
        """Nothing is copied then."""
        span = span_with(rpc__method="m", baggage__tier="gold")
        span.add_event("payorch.error", {"payorch.reason": "INTERNAL"})
        span.set_status(Status(StatusCode.ERROR, "INTERNAL"))

        assert span is strip_unlisted(span)

    def test_takes_an_attribute_out_that_is_not_listed(self) -> None:
        """Whoever adds one must list it, and say what it can hold."""
        (span,) = exported(span_with(rpc__method="m", http__request__body=SECRET))

        assert ({"rpc.method": "m"}, "call") == (dict(span.attributes or {}), span.name)

    def test_takes_the_text_of_an_exception_out(self) -> None:
        """The SDK writes it into an event and into the status, if it is let."""
        span = span_with()
        span.record_exception(ValueError(SECRET))
        span.set_status(Status(StatusCode.ERROR, f"ValueError: {SECRET}"))

        (seen,) = exported(span)

        assert (StatusCode.ERROR, (), False) == (seen.status.status_code, tuple(seen.events), SECRET in seen.to_json())

    @pytest.mark.parametrize(("event", "attribute"), [("other", "payorch.reason"), ("payorch.error", "message")])
    def test_takes_an_event_out_that_is_not_listed(self, event: str, attribute: str) -> None:
        """By its name, and by the names of what it holds."""
        span = span_with()
        span.add_event(event, {attribute: SECRET})

        (seen,) = exported(span)

        assert () == tuple(seen.events)

    def test_keeps_everything_else(self) -> None:
        """Ids, links and times."""
        span = span_with(secret=SECRET)
        span.end()

        (seen,) = exported(span)

        assert (span.context, span.parent, span.kind, span.start_time, span.end_time, span.tracer.resource) == (
            seen.context,
            seen.parent,
            seen.kind,
            seen.start_time,
            seen.end_time,
            seen.resource,
        )


class TestPermitting:
    """The list stands in the way of every receiver."""

    def test_stands_before_what_comes_after(self) -> None:
        """Whatever that is."""
        kept = KeptSpans()

        tracer_over(ProcessorRecipient(kept)).start_span("call", attributes={"secret": SECRET}).end()

        assert [{}] == [dict(span.attributes or {}) for span in kept.spans]


def test_every_attribute_says_what_it_holds() -> None:
    """The table is read by people."""
    assert all(ATTRIBUTES.values())
