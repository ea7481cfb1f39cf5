"""What spans say of an intent: whose flight it was, what others had to do with it, and how it ended."""

import asyncio
from typing import Any

from opentelemetry import trace

from payorch_server.intents.intent import IntentResult
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.store.keyring import Keyring
from payorch_server.telemetry.spans import start_child

_HASH = "payorch.intent.hash"
_PART = "payorch.intent.part"


class IntentSpans:
    """Makes the spans of intents."""

    def __init__(self, tracer: trace.Tracer, keyring: Keyring) -> None:
        self._tracer = tracer
        self._keyring = keyring

    def mark(self, key: IdempotencyKey) -> None:
        """Say on the current span which intent its call is about."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attribute(_HASH, self._keyring.name_in_spans(key))

    def flight(self, key: IdempotencyKey) -> trace.Span:
        """Start the span of a flight below the call that departs; it ends when the flight does."""
        return self._begun(key, "flew", ())

    def joined(self, key: IdempotencyKey, flight: trace.Span) -> trace.Span:
        """Start the span of a call that waits for the flight of another call."""
        links = [trace.Link(flight.get_span_context())] if flight.is_recording() else []
        return self._begun(key, "joined", links)

    def _begun(self, key: IdempotencyKey, part: str, links: list[trace.Link] | tuple[()]) -> trace.Span:
        span = start_child(self._tracer, "intent", links=links)
        if span.is_recording():
            span.set_attributes({_HASH: self._keyring.name_in_spans(key), _PART: part})
        return span

    @staticmethod
    def arrived(span: trace.Span, flight: "asyncio.Task[IntentResult[Any]]") -> None:
        """End the span of a flight that has ended."""
        if span.is_recording():
            error = asyncio.CancelledError() if flight.cancelled() else flight.exception()
            if error is not None:
                tell_failure(span, error)
            else:
                span.set_attribute("payorch.intent.recorded", flight.result().replayed)
        span.end()


def tell_failure(span: trace.Span, error: BaseException) -> None:
    """Say on a span why what it stands for failed; never with the text of an exception."""
    if isinstance(error, CallError):
        span.set_attribute("payorch.outcome", error.verdict.outcome.name)
        span.set_attribute("error.type", error.failure.reason.name)
    else:
        span.set_attribute("error.type", type(error).__name__)
