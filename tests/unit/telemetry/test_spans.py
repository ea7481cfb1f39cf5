from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN
from payorch_server.telemetry.spans import caller_baggage, caller_context, carry

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class TestTraceContext:
    """Callers' traces are continued."""

    def test_goes_in_and_out(self) -> None:
        """The form is W3C's."""
        metadata = [("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "a=b"), ("some-bin", b"\x00")]
        span = trace.get_current_span(caller_context(metadata))
        headers: dict[str, str] = {}

        carry(span, headers)

        assert {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=b"} == headers

    def test_that_is_broken_counts_as_none(self) -> None:
        """A call is not refused for it."""
        assert INVALID_SPAN == trace.get_current_span(caller_context([("traceparent", "00-nonsense")]))


class TestBaggage:
    """What callers hand through is theirs."""

    def test_is_ignored_but_for_what_is_allowed(self) -> None:
        """Callers put anything there."""
        metadata = [("baggage", "tier=gold,card=4111111111111111")]

        assert {"tier": "gold"} == dict(caller_baggage(metadata, allowed=("tier", "region")))
        assert {} == caller_baggage(metadata, allowed=())

    def test_is_cut_to_what_a_span_can_carry(self) -> None:
        """Its sender may be generous."""
        told = caller_baggage([("baggage", "tier=" + "g" * 1000)], allowed=("tier",))

        assert 64 == len(told["tier"])
