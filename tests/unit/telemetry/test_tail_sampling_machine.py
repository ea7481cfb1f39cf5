"""Tail sampling under any order of starts and ends."""

from collections import Counter
from dataclasses import dataclass, field

from harness.spans import KeptRecords, tracer_over
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode
from payorch_server.telemetry.recorded_spans import RecordedSpan
from payorch_server.telemetry.settings import SamplingSettings
from payorch_server.telemetry.tail_sampling import TailSampling

MOST_HELD = 4


@dataclass(slots=True, eq=False)
class Made:
    """A call as its maker sees it."""

    failed: bool = False
    """By the time its root ended."""
    root_ended: bool = False
    open: list[RecordedSpan] = field(default_factory=list)


class SamplingMachine(RuleBasedStateMachine):
    """Calls fail or not, and their spans end in any order."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.kept = KeptRecords()
        chosen = SamplingSettings(ratio=0.0, callers_per_s=0.0, slow_s=1e9, max_held_spans=MOST_HELD)
        self.sampling = TailSampling(chosen, then=self.kept, monotonic=lambda: 0.0)
        self.tracer = tracer_over(self.sampling)
        self.by_span: dict[int, Made] = {}
        self.ended: list[int] = []

    @rule(target=calls)
    def begin(self) -> Made:
        """A call comes in."""
        made = Made()
        self._start(made, Context(), SpanKind.SERVER)
        return made

    def _start(self, made: Made, context: Context, kind: SpanKind) -> None:
        span = self.tracer.start_span("span", context=context, kind=kind)
        made.open.append(span)
        self.by_span[span.get_span_context().span_id] = made

    @rule(made=calls, which=st.integers(0, 9))
    def descend(self, made: Made, which: int) -> None:
        """A span starts below one that is open."""
        if made.open:
            parent = made.open[which % len(made.open)]
            self._start(made, trace.set_span_in_context(parent, Context()), SpanKind.INTERNAL)

    @rule(made=calls, which=st.integers(0, 9), fails=st.booleans())
    def end(self, made: Made, which: int, fails: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """Any open span ends."""
        if not made.open:
            return
        span = made.open.pop(which % len(made.open))
        if fails:
            span.set_status(Status(StatusCode.ERROR))
        made.failed |= fails and not made.root_ended
        made.root_ended |= span.kind is SpanKind.SERVER
        self.ended.append(span.get_span_context().span_id)
        span.end()

    @invariant()
    def nothing_is_kept_twice_or_before_its_call_is_decided(self) -> None:
        """Every span is passed on at most once, and only of calls that failed before their root's end."""
        times = Counter(span.context.span_id for span in self.kept.spans)
        assert set(times.values()) <= {1}
        assert all(self.by_span[one].root_ended and self.by_span[one].failed for one in times)

    @invariant()
    def nothing_is_lost_unless_it_is_counted(self) -> None:
        """All that ended of failed calls is kept, but for what had to make room."""
        due = {one for one in self.ended if self.by_span[one].root_ended and self.by_span[one].failed}
        missing = due - {span.context.span_id for span in self.kept.spans}
        assert len(missing) <= self.sampling.dropped

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        """By the setting, and what is decided is forgotten."""
        undecided = {id(made) for made in self.by_span.values() if not made.root_ended}
        assert self.sampling._held <= MOST_HELD
        assert self.sampling._held == sum(len(call.ended) for call in self.sampling._calls.values())
        assert len(undecided) == len(self.sampling._calls)


SamplingMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestSampling = SamplingMachine.TestCase
