"""Spans inside a call, by the OpenTelemetry API alone; they cost next to nothing where the call is not recorded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.util.types import Attributes

from payorch_server.model.errors import CallError


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


def record_failure(span: trace.Span, error: BaseException) -> None:
    """Set on a span why its operation failed; never the text of an exception."""
    if isinstance(error, CallError):
        span.set_attribute("payorch.outcome", error.verdict.outcome.name)
        span.set_attribute("error.type", error.failure.reason.name)
    else:
        span.set_attribute("error.type", type(error).__name__)
