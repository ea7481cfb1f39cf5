"""Trace context of callers and for Zuora, in the form of W3C."""

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any, Final

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_BAGGAGE: Final = W3CBaggagePropagator()
_MAX_BAGGAGE_CHARACTERS: Final = 64


def caller_context(metadata: Sequence[tuple[str, Any]]) -> Context:
    """Return the trace context in a call's metadata, empty if there is none; baggage is not part of it.

    Args:
        metadata: Keys and values as gRPC gives them.
    """
    return _TRACE_CONTEXT.extract(dict(metadata), context=Context())


def caller_baggage(metadata: Sequence[tuple[str, Any]], *, allowed: Collection[str]) -> Mapping[str, str]:
    """Return the allowed entries of a call's baggage, cut to a length that a span can carry.

    Args:
        metadata: Keys and values as gRPC gives them.
        allowed: Names of entries.
    """
    if not allowed:
        return {}
    entries = baggage.get_all(_BAGGAGE.extract(dict(metadata), context=Context()))
    return {name: str(entries[name])[:_MAX_BAGGAGE_CHARACTERS] for name in allowed if name in entries}


def carry(span: trace.Span, headers: MutableMapping[str, str]) -> None:
    """Add the span's trace context to the headers of a request."""
    _TRACE_CONTEXT.inject(headers, context=trace.set_span_in_context(span, Context()))
