"""The CLIENT span of one request to Zuora: facts about its answer, never its texts."""

import re
from functools import lru_cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import TrackId, span_ids_of
from payorch_server.model.shown_forms import MASKED, shown_id, shown_track_id
from payorch_server.zuora.messages import HttpResponse
from payorch_server.zuora.quotes import Quotes
from payorch_server.zuora.transport import HttpPost

# A tenant has five.
_MAX_URLS: Final = 256
_FIRST_FAILED_STATUS: Final = 400
# Numbers, windows, and what separates them. Source: Zuora, "Rate limits" (read 2026-11-20).
_LIMIT: Final = re.compile(r"[0-9w=;, ]{1,100}")
_LIMIT_HEADERS: Final = (
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "concurrency-limit-limit",
    "concurrency-limit-remaining",
)


class AttemptSpan:
    """A context manager; the span ends with it."""

    def __init__(self, tracer: trace.Tracer, post: HttpPost) -> None:
        self.otel_span: trace.Span = tracer.start_span(f"POST {post.template}", kind=SpanKind.CLIENT)
        """The span itself, from which a trace context for Zuora is made."""
        self._is_recording = self.otel_span.is_recording()
        if self._is_recording:
            host, port = _origin(post.url)
            self.otel_span.set_attributes(
                {
                    "http.request.method": "POST",
                    "url.full": post.url.partition("?")[0],
                    "url.template": post.template,
                    "server.address": host,
                    "server.port": port,
                }
            )
            if post.ordinal > 1:
                self.otel_span.set_attribute("http.request.resend_count", post.ordinal - 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._is_recording and error is not None:
            self._fail(error.failure.reason.name if isinstance(error, CallError) else type(error).__name__)
        self.otel_span.end()

    def note_answer(self, answer: HttpResponse, *, quotes: Quotes, sent: TrackId | None = None) -> None:
        """Set what an answer shows.

        Args:
            answer: Zuora's.
            quotes: The secrets of the request, which the answer may quote.
            sent: The Track-Id of the request; an answer with another one was made for an earlier call.
        """
        if not self._is_recording:
            return
        self.otel_span.set_attribute("http.response.status_code", answer.status)
        if request_id := shown_id(quotes.mask_id(answer.zuora_request_id)):
            self.otel_span.set_attribute("zuora.request_id", request_id)
        for name in _LIMIT_HEADERS:
            if _LIMIT.fullmatch(value := answer.headers.get(name, "")):
                self.otel_span.set_attribute(f"http.response.header.{name}", (value,))
        if answer.status >= _FIRST_FAILED_STATUS:
            self._fail(str(answer.status))
        if sent is None or answer.track_id in {"", sent}:
            return
        echoed = TrackId(shown_track_id(quotes.mask_id(answer.track_id)))
        self.otel_span.set_attribute("zuora.executed_track_id", echoed)
        if echoed != MASKED:
            self._link_to_executed(echoed)

    def note_error(self, error: CallError) -> None:
        """Set what an answer means, or why there was none."""
        if not self._is_recording:
            return
        if codes := error.failure.evidence.zuora_codes:
            self.otel_span.set_attribute("zuora.codes", codes)
        self.otel_span.set_attribute("payorch.outcome", error.verdict.outcome.name)
        self.otel_span.set_attribute("payorch.reason", error.failure.reason.name)
        self._fail(error.failure.reason.name)

    def _link_to_executed(self, track_id: TrackId) -> None:
        """Link to the call that Zuora's answer was made for: to its span, or to the trace that leads to it."""
        trace_id, span_id = span_ids_of(track_id)
        self.otel_span.add_link(
            SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        )

    def _fail(self, error_type: str) -> None:
        self.otel_span.set_attribute("error.type", error_type)
        self.otel_span.set_status(Status(StatusCode.ERROR))


@lru_cache(maxsize=_MAX_URLS)
def _origin(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
