import threading
from collections.abc import Sequence

import pytest
from harness.spans import tracer_over
from opentelemetry.sdk.trace import ReadableSpan  # noqa: TID251 - what exporters take
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: TID251 - to be one
from opentelemetry.trace import SpanContext, Status, StatusCode
from payorch_server.telemetry.export import CountingBatchProcessor, SdkSender, span_line
from payorch_server.telemetry.recorded_spans import RecordedSpan


class Collector(SpanExporter):
    """Takes spans when it is let."""

    def __init__(self, *, result: SpanExportResult = SpanExportResult.SUCCESS, blocks: bool = False) -> None:
        self.names: list[str] = []
        self.busy, self.go_on = threading.Event(), threading.Event()
        self.shutdowns = 0
        self._result = result
        if not blocks:
            self.go_on.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take a batch."""
        self.busy.set()
        self.go_on.wait()
        self.names += [span.name for span in spans]
        return self._result

    def shutdown(self) -> None:
        """Stop waiting."""
        self.shutdowns += 1
        self.go_on.set()


class SentSpans:
    """Keeps what it is given to send."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []

    def send(self, spans: Sequence[RecordedSpan]) -> SpanExportResult:
        """Keep a batch."""
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Have nothing to end."""


def emit(outlet: CountingBatchProcessor, count: int) -> None:
    """Let some spans end."""
    tracer = tracer_over(outlet)
    for number in range(count):
        tracer.start_span(f"span {number}").end()


class TestOutlet:
    """Spans leave when they can, and cost nobody anything when they cannot."""

    def test_sends_what_is_left_at_the_end(self) -> None:
        """In one batch here."""
        collector = Collector()
        outlet = CountingBatchProcessor(SdkSender(collector))
        emit(outlet, 3)

        outlet.shutdown()

        assert (["span 0", "span 1", "span 2"], 0, 1) == (collector.names, outlet.queue_full, collector.shutdowns)

    def test_drops_and_counts_what_a_slow_collector_leaves_no_room_for(self) -> None:
        """Two are on their way, two wait; the others are gone at once."""
        collector = Collector(blocks=True)
        outlet = CountingBatchProcessor(SdkSender(collector), max_waiting=2, delay_s=60.0)
        emit(outlet, 2)
        collector.busy.wait()

        emit(outlet, 5)

        assert ("CountingBatchProcessor(2 waiting, 3 dropped)", 3) == (repr(outlet), outlet.queue_full)
        collector.go_on.set()
        outlet.shutdown()
        assert 4 == len(collector.names)

    def test_counts_what_is_not_taken(self) -> None:
        """A batch is lost, the service goes on."""
        outlet = CountingBatchProcessor(SdkSender(Collector(result=SpanExportResult.FAILURE)))
        emit(outlet, 3)

        outlet.shutdown()

        assert (3, 0) == (outlet.export_failed, outlet.queue_full)

    def test_sends_nothing_that_is_not_listed(self) -> None:
        """Whatever sends it."""
        sender = SentSpans()
        outlet = CountingBatchProcessor(sender)
        tracer_over(outlet).start_span("call", attributes={"secret": "4111111111111111", "rpc.method": "m"}).end()

        outlet.shutdown()

        assert [{"rpc.method": "m"}] == [span.attributes for span in sender.spans]

    def test_does_not_wait_for_a_dead_collector_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that ends has other things to lose."""
        monkeypatch.setattr("payorch_server.telemetry.export.FLUSH_S", 0.01)
        collector = Collector(blocks=True)
        outlet = CountingBatchProcessor(SdkSender(collector), max_waiting=4)
        emit(outlet, 1)

        outlet.shutdown()

        assert 1 == collector.shutdowns


def test_a_span_is_one_line() -> None:
    """Trace, parent, span, duration, a mark for errors, name, attributes that the name does not say."""
    span = ReadableSpan(
        name="POST /x",
        context=SpanContext(1, 2, is_remote=False),
        parent=SpanContext(1, 3, is_remote=False),
        attributes={"url.template": "/x", "error.type": "500", "zuora.codes": ("1", "2")},
        status=Status(StatusCode.ERROR),
        start_time=0,
        end_time=1_500_000,
    )

    expected = f"{1:032x} {3:016x} > {2:016x}      1.50 ms ! POST /x error.type=500 zuora.codes=1,2\n"
    assert expected == span_line(span)


def test_a_root_has_no_parent() -> None:
    """A dash stands for it."""
    span = ReadableSpan(name="call", context=SpanContext(1, 2, is_remote=False), start_time=0, end_time=0)

    assert f"{1:032x} {'-' * 16} > {2:016x}      0.00 ms   call\n" == span_line(span)
