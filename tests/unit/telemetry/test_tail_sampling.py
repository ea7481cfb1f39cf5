import pytest
from harness.clock import FakeClock
from harness.spans import KeptRecords, tracer_over
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from payorch_server.telemetry.settings import SamplingSettings
from payorch_server.telemetry.tail_sampling import TailSampling

NOTHING = SamplingSettings(ratio=0.0, callers_per_s=0.0)
SECOND_NS = 10**9


class Calls:
    """Calls whose spans go through a sampling."""

    def __init__(self, settings: SamplingSettings = NOTHING) -> None:
        self.clock = FakeClock()
        self.kept = KeptRecords()
        self.sampling = TailSampling(settings, then=self.kept, monotonic=self.clock.monotonic)
        self.tracer = tracer_over(self.sampling)

    def server(self, name: str = "call", *, trace_id: int = 1, sampled: bool | None = None) -> Span:
        """Start a call's outermost span at time 0, in a caller's trace unless sampled is None."""
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        parent = SpanContext(trace_id, 1, is_remote=True, trace_flags=flags)
        context = Context() if sampled is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())
        return self.tracer.start_span(name, context=context, kind=SpanKind.SERVER, start_time=0)

    def below(self, parent: Span, name: str = "child") -> Span:
        """Start a span inside a call."""
        return self.tracer.start_span(name, context=trace.set_span_in_context(parent, Context()), start_time=0)


def end(*spans: Span, after_s: float = 0.001) -> None:
    """End spans, in order."""
    for span in spans:
        span.end(int(after_s * SECOND_NS))


def fail(span: Span) -> None:
    """Make a span an error."""
    span.set_status(Status(StatusCode.ERROR))


class TestACall:
    """It is kept or dropped when it has ended."""

    def test_of_no_interest_is_dropped_whole(self) -> None:
        """It neither failed nor was slow."""
        calls = Calls()
        server = calls.server()

        end(calls.below(server), server)

        assert ([], "TailSampling(0 calls, 0 spans held, 0 dropped)") == (calls.kept.names, repr(calls.sampling))

    def test_that_failed_is_kept_with_what_ended_before(self) -> None:
        """The children tell how it came about."""
        calls = Calls()
        server = calls.server()
        end(calls.below(server))
        fail(server)

        end(server)

        assert ["child", "call"] == calls.kept.names

    def test_with_a_failed_attempt_is_kept(self) -> None:
        """A retry that helped is worth seeing."""
        calls = Calls()
        server = calls.server()
        child = calls.below(server)
        fail(child)

        end(child, server)

        assert ["child", "call"] == calls.kept.names

    def test_that_was_refused_is_kept(self) -> None:
        """To its caller that is an error, though no fault of the server."""
        calls = Calls()
        server = calls.server()
        server.set_attribute("error.type", "PAYMENT_DECLINED")

        end(server)

        assert ["call"] == calls.kept.names

    @pytest.mark.parametrize(("after_s", "kept"), [(1.999, []), (2.0, ["call"])])
    def test_that_was_slow_is_kept(self, after_s: float, kept: list[str]) -> None:
        """From the configured duration on."""
        calls = Calls()

        end(calls.server(), after_s=after_s)

        assert kept == calls.kept.names

    def test_that_is_none_of_a_caller_is_kept(self) -> None:
        """A token fetch happens once an hour."""
        calls = Calls()

        end(calls.tracer.start_span("token fetch", context=Context()))

        assert ["token fetch"] == calls.kept.names

    @pytest.mark.parametrize(("low_bits", "kept"), [(0, False), (2**55 - 1, False), (2**55, True), (2**56 - 1, True)])
    def test_is_chosen_by_the_random_bits_of_its_trace(self, low_bits: int, kept: bool) -> None:  # noqa: FBT001
        """Everybody with the same ratio chooses the same traces."""
        calls = Calls(SamplingSettings(ratio=0.5, callers_per_s=0.0))

        end(calls.server(trace_id=(7 << 56) + low_bits, sampled=False))

        assert kept == bool(calls.kept.spans)

    def test_whose_caller_samples_is_kept_as_often_as_allowed(self) -> None:
        """The flag alone must not set what tracing costs."""
        calls = Calls(SamplingSettings(ratio=0.0, callers_per_s=2.0))

        for _ in range(5):
            end(calls.server(sampled=True))
        at_once = len(calls.kept.spans)
        calls.clock.advance(0.5)
        end(calls.server(sampled=True), calls.server(sampled=True), calls.server(sampled=False))

        assert (2, 3) == (at_once, len(calls.kept.spans))

    def test_may_be_allowed_less_than_once_a_second(self) -> None:
        """A tenth of a call a second is one in ten seconds."""
        calls = Calls(SamplingSettings(ratio=0.0, callers_per_s=0.1))

        end(calls.server(sampled=True), calls.server(sampled=True))

        assert 1 == len(calls.kept.spans)


class TestASpanThatEndsAfterItsCall:
    """A flight goes on when its caller has left."""

    @pytest.mark.parametrize(("failed", "names"), [(True, ["call", "attempt", "intent"]), (False, [])])
    def test_follows_the_decision(self, failed: bool, names: list[str]) -> None:  # noqa: FBT001
        """The caller left, the flight went on."""
        calls = Calls()
        server = calls.server()
        intent = calls.below(server, "intent")
        if failed:
            fail(server)
        end(server)
        attempt = calls.below(intent, "attempt")
        fail(attempt)

        end(attempt, intent)

        assert (names, 0) == (calls.kept.names, calls.sampling.dropped)

    @pytest.mark.parametrize(("failed", "names"), [(True, ["call", "attempt"]), (False, [])])
    def test_follows_the_decision_below_one_that_ended(self, failed: bool, names: list[str]) -> None:  # noqa: FBT001
        """Even if it starts when nothing else of the call is open."""
        calls = Calls()
        server = calls.server()
        if failed:
            fail(server)
        end(server)

        end(calls.below(server, "attempt"))

        assert (names, 0) == (calls.kept.names, calls.sampling.dropped)


class TestASpanOfAnotherTrace:
    """A Track-Id's pointer stands in a trace of its own."""

    @pytest.mark.parametrize(("failed", "names"), [(True, ["pointer", "call"]), (False, [])])
    def test_belongs_to_the_call_it_links_to(self, failed: bool, names: list[str]) -> None:  # noqa: FBT001
        """A pointer without its call points to nothing."""
        calls = Calls()
        server = calls.server()
        links = [Link(server.get_span_context())]
        parent = NonRecordingSpan(SpanContext(5, 5, is_remote=True))
        context = trace.set_span_in_context(parent, Context())
        end(calls.tracer.start_span("pointer", context=context, links=links, start_time=0))
        if failed:
            fail(server)

        end(server)

        assert names == calls.kept.names


class TestWhatIsHeld:
    """Memory is bounded whatever happens."""

    def test_is_bounded_at_the_cost_of_the_oldest_call(self) -> None:
        """Its own end is still told."""
        calls = Calls(SamplingSettings(ratio=0.0, callers_per_s=0.0, max_held_spans=2))
        old, young = calls.server("old"), calls.server("young")
        end(calls.below(old, "lost"), calls.below(old, "lost too"), calls.below(young, "held"))
        fail(old)
        fail(young)

        end(old, young)

        assert (["old", "held", "young"], 2) == (calls.kept.names, calls.sampling.dropped)

    def test_is_bounded_in_calls_too(self) -> None:
        """Spans that nobody ends must not pile up."""
        calls = Calls()
        first = calls.server()
        end(calls.below(first))
        for _ in range(4096):
            calls.server()
        fail(first)

        end(first)

        assert ([], "TailSampling(4096 calls, 0 spans held, 2 dropped)") == (calls.kept.names, repr(calls.sampling))

    def test_is_passed_on_at_the_end_of_the_process(self) -> None:
        """What was cut is worth seeing."""
        calls = Calls()
        end(calls.below(calls.server()))

        calls.sampling.shutdown()

        assert (["child"], True) == (calls.kept.names, calls.kept.ended)
