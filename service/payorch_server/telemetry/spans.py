"""Spans and trace context of calls, by the OpenTelemetry API alone; almost free where a call is not recorded."""

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from payorch_server.model.errors import CallError
from payorch_server.model.sensitive_text import scrub_text

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_BAGGAGE: Final = W3CBaggagePropagator()
_MAX_BAGGAGE_CHARACTERS: Final = 64


def start_child(
    tracer: trace.Tracer, name: str, attributes: Attributes = None, *, links: Sequence[trace.Link] = ()
) -> trace.Span:
    """Start a span below the current one; below one that is not recorded, one that records nothing."""
    if not trace.get_current_span().is_recording():
        return trace.INVALID_SPAN
    return tracer.start_span(name, attributes=attributes, links=links)


@contextmanager
def use_span(span: trace.Span) -> Iterator[None]:
    """Make the span the parent of those that start inside; a span that records nothing changes nothing.

    Unlike the API's own it never writes an exception's text into the span.
    """
    if not span.is_recording():
        yield
        return
    token = otel_context.attach(trace.set_span_in_context(span))
    try:
        yield
    finally:
        otel_context.detach(token)


def emit_pointer(tracer: trace.Tracer, name: str, span: trace.Span, *, trace_id: int, span_id: int) -> None:
    """Emit a span in another trace that has a link to a span and nothing else, so that it is found there.

    Args:
        tracer: Makes it.
        name: Its name.
        span: What it leads to.
        trace_id: The other trace.
        span_id: Its parent in that trace, which need not exist.
    """
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    context = trace.set_span_in_context(NonRecordingSpan(parent), Context())
    tracer.start_span(name, context=context, links=[Link(span.get_span_context())]).end()


def record_failure(span: trace.Span, error: BaseException) -> None:
    """Set on a span why its operation failed; never the text of an exception."""
    if isinstance(error, CallError):
        span.set_attribute("payorch.outcome", error.verdict.outcome.name)
        span.set_attribute("error.type", error.failure.reason.name)
    else:
        span.set_attribute("error.type", type(error).__name__)


def caller_context(metadata: Sequence[tuple[str, Any]]) -> Context:
    """Return the trace context in a call's metadata, empty if there is none; baggage is not part of it.

    Args:
        metadata: Keys and values as gRPC gives them.
    """
    return _TRACE_CONTEXT.extract(dict(metadata), context=Context())


def caller_baggage(metadata: Sequence[tuple[str, Any]], *, allowed: Collection[str]) -> Mapping[str, str]:
    """Return the allowed entries of a call's baggage, scrubbed, and cut to a length that a span can carry.

    Args:
        metadata: Keys and values as gRPC gives them.
        allowed: Names of entries.
    """
    if not allowed:
        return {}
    entries = baggage.get_all(_BAGGAGE.extract(dict(metadata), context=Context()))
    return {name: scrub_text(str(entries[name]))[:_MAX_BAGGAGE_CHARACTERS] for name in allowed if name in entries}


def carry(span: trace.Span, headers: MutableMapping[str, str]) -> None:
    """Add the span's trace context to the headers of a request."""
    _TRACE_CONTEXT.inject(headers, context=trace.set_span_in_context(span, Context()))
