"""The spans of intents: which call executed one, which joined it, and how it ended."""

import asyncio
from typing import Any

from opentelemetry import trace

from payorch_server.intents.intent import IntentResult
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.store.keyring import Keyring
from payorch_server.telemetry.spans import record_failure, start_child

_HASH = "payorch.intent.hash"
_PART = "payorch.intent.part"


class IntentSpans:
    """Makes the spans of intents."""

    def __init__(self, tracer: trace.Tracer, keyring: Keyring) -> None:
        self._tracer = tracer
        self._keyring = keyring

    def mark(self, key: IdempotencyKey) -> None:
        """Set on the current span which intent its call is about."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attribute(_HASH, self._keyring.name_in_spans(key))

    def start_execution(self, key: IdempotencyKey) -> trace.Span:
        """Start the span of an execution below the call that starts it; it ends when the execution does."""
        return self._start(key, "executed", ())

    def start_join(self, key: IdempotencyKey, execution: trace.Span) -> trace.Span:
        """Start the span of a call that waits for the execution of another call."""
        links = [trace.Link(execution.get_span_context())] if execution.is_recording() else []
        return self._start(key, "joined", links)

    def _start(self, key: IdempotencyKey, part: str, links: list[trace.Link] | tuple[()]) -> trace.Span:
        span = start_child(self._tracer, "intent", links=links)
        if span.is_recording():
            span.set_attributes({_HASH: self._keyring.name_in_spans(key), _PART: part})
        return span

    @staticmethod
    def end_execution(span: trace.Span, task: "asyncio.Task[IntentResult[Any]]") -> None:
        """End the span of an execution whose task is done."""
        if span.is_recording():
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None:
                record_failure(span, error)
            else:
                span.set_attribute("payorch.intent.recorded", task.result().replayed)
        span.end()
