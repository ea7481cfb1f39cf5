"""What can be done with spans, for tests that compare tracers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
)

Operation = Callable[[Span], None]


@dataclass(frozen=True)
class Operations:
    """How a span is started, and what is done to it before it ends, and after."""

    name: str
    kind: SpanKind
    parent: SpanContext | None
    attributes: dict[str, Any] | None
    links: Sequence[tuple[SpanContext, dict[str, Any] | None]]
    then: Sequence[Operation]
    afterwards: Sequence[Operation]

    def apply(self, tracer: Tracer) -> Span:
        """Start a span, do all that, and return it."""
        context = Context()
        if self.parent:
            context = trace.set_span_in_context(NonRecordingSpan(self.parent), context)
        links = [Link(*link) for link in self.links]
        span = tracer.start_span(self.name, context, self.kind, self.attributes, links, start_time=1)
        for operation in self.then:
            operation(span)
        span.end(2)
        for operation in self.afterwards:
            operation(span)
        span.end(3)
        return span


_NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_PLAIN = st.one_of(_TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
_VALUES = st.one_of(_PLAIN, st.lists(_TEXTS, max_size=3), st.lists(st.integers(0, 9), max_size=2), st.none())
_ATTRIBUTES = st.dictionaries(_NAMES, _VALUES, max_size=5)
_STATES = st.one_of(st.none(), st.just(TraceState([("a", "b"), ("c", "d")])))
_CONTEXTS = st.builds(
    SpanContext,
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    st.builds(TraceFlags, st.integers(0, 3)),
    _STATES,
)
_STATUSES = st.one_of(
    st.builds(Status, st.sampled_from([StatusCode.OK, StatusCode.UNSET])),
    st.builds(Status, st.just(StatusCode.ERROR), st.one_of(st.none(), _TEXTS)),
)


def _operations() -> st.SearchStrategy[Operation]:
    return st.one_of(
        st.builds(lambda name, value: lambda span: span.set_attribute(name, value), _NAMES, _VALUES),
        st.builds(lambda attributes: lambda span: span.set_attributes(attributes), _ATTRIBUTES),
        st.builds(
            lambda name, attributes, time: lambda span: span.add_event(name, attributes, time),
            _NAMES,
            st.one_of(st.none(), _ATTRIBUTES),
            st.integers(1, 2**63),
        ),
        st.builds(
            lambda context, attributes: lambda span: span.add_link(context, attributes),
            _CONTEXTS,
            st.one_of(st.none(), _ATTRIBUTES),
        ),
        st.builds(lambda name: lambda span: span.update_name(name), _NAMES),
        st.builds(lambda status: lambda span: span.set_status(status), _STATUSES),
        st.builds(
            lambda text, attributes: lambda span: span.record_exception(ValueError(text), attributes, timestamp=5),
            _TEXTS,
            st.one_of(st.none(), _ATTRIBUTES),
        ),
        st.builds(lambda text: lambda span: span.set_status(StatusCode.ERROR, text), _TEXTS),
    )


def operations() -> st.SearchStrategy[Operations]:
    """Return all that can be done with one span."""
    return st.builds(
        Operations,
        _NAMES,
        st.sampled_from(SpanKind),
        st.one_of(st.none(), _CONTEXTS),
        st.one_of(st.none(), _ATTRIBUTES),
        st.lists(st.tuples(_CONTEXTS, st.one_of(st.none(), _ATTRIBUTES)), max_size=3),
        st.lists(_operations(), max_size=6),
        st.lists(_operations(), max_size=2),
    )
