"""The table of attributes that spans may have; all others are removed before anything is exported."""

import re
from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor  # noqa: TID251 - one of the SDK's parts
from opentelemetry.trace import Status

ATTRIBUTES: Final[Mapping[str, str]] = {
    # Source: OpenTelemetry semantic conventions, RPC (release candidate), HTTP and error (read 2026-11-20).
    "rpc.system.name": "grpc",
    "rpc.method": "full name of the RPC",
    "rpc.response.status_code": "name of the gRPC status",
    "error.type": "reason of a failure, or the HTTP status of an attempt; absent where nothing failed",
    "http.request.method": "POST",
    "http.request.resend_count": "how often this call was sent before; absent for the first time",
    "http.response.status_code": "HTTP status of Zuora's answer; absent where there was none",
    "http.response.header.ratelimit-limit": "Zuora's rate limits, the nearest first",
    "http.response.header.ratelimit-remaining": "what is left of the nearest rate limit",
    "http.response.header.ratelimit-reset": "seconds until it is renewed",
    "http.response.header.concurrency-limit-limit": "how many calls Zuora takes at once",
    "http.response.header.concurrency-limit-remaining": "how many more it would take",
    "server.address": "host of Zuora's that was called",
    "server.port": "its port",
    "url.full": "address that was called, without its query",
    "url.template": "its path",
    "zuora.track_id": "Zuora-Track-Id of the call",
    "zuora.executed_track_id": "Zuora-Track-Id of the earlier call that Zuora's answer was made for",
    "zuora.request_id": "Zuora-Request-Id of the answer",
    "zuora.codes": "error codes of the answer",
    "payorch.tenant": "tenant of the route",
    "payorch.entity": "entity of the route",
    "payorch.rule": "routing rule that matched",
    "payorch.policy_hash": "the routing policy that decided",
    "payorch.intent.hash": "keyed hash of the intent: the same for every call of it while the fleet's key is the same",
    "payorch.intent.part": "how a call took part in the execution of its intent: executed or joined",
    "payorch.intent.recorded": "whether the intent had ended before this call, so that nothing was sent",
    # Of the hub for Zuora's payment connector.
    "http.route": "/upc/{hub}",
    "payorch.upc.hub": "hub of a request of Zuora's",
    "payorch.upc.operation": "validate, payment or refund",
    "payorch.upc.tenant_id": "Zuora's id of the tenant",
    "payorch.upc.id": "Zuora's id of the payment or refund",
    "payorch.upc.key": "idempotency key of the payment or refund; a trace computed from it leads to every send",
    "payorch.upc.answer": "what Zuora was answered",
    "payorch.upc.situation": "why",
    "payorch.upc.attempt": "executions of the request so far",
    "payorch.upc.gateway": "name of the plugged-in gateway that was called",
    "payorch.upc.result": "what the gateway said, or why nothing is known",
    "payorch.upc.replayed": "whether the answer is a recorded one",
    "payorch.upc.joined": "whether another send of it was being executed",
    "payorch.reason": "reason of a failure, in its event and on attempts",
    "payorch.outcome": "what happened at Zuora, where something failed",
    "payorch.advice": "what the caller was advised to do, where something failed",
}
"""Names of attributes, of spans and their events, and what each means. No value may be free text of a caller or of
Zuora: ids are checked for their form, everything else is a name of ours or a number."""
EVENTS: Final = frozenset({"payorch.error"})
BAGGAGE: Final = "baggage."
"""Begins the names of attributes for the entries of callers' baggage that the settings list."""

MAX_CHARACTERS: Final = 256
"""Of one value; the longest of ours is an address with a path."""
# Of a status: the SDK itself would write the text of an exception there.
_DESCRIPTION: Final = re.compile(r"[A-Z_]{0,64}")


def strip_unlisted(span: ReadableSpan) -> ReadableSpan:
    """Return the span as it may be exported: the same span, or a copy without what is not listed."""
    attributes, description = span.attributes or {}, span.status.description or ""
    events = [event for event in span.events if event.name in EVENTS and all(map(_is_listed, event.attributes or {}))]
    harmless = all(map(_is_listed, attributes)) and _DESCRIPTION.fullmatch(description)
    if harmless and len(events) == len(span.events):
        return span
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in attributes.items() if _is_listed(name)},
        events=events,
        links=span.links,
        kind=span.kind,
        status=span.status if _DESCRIPTION.fullmatch(description) else Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _is_listed(name: str) -> bool:
    return name in ATTRIBUTES or name.startswith(BAGGAGE)


class AllowlistProcessor(SpanProcessor):
    """Passes spans on without what is not listed."""

    def __init__(self, then: SpanProcessor) -> None:
        self._then = then

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass it on."""
        self._then.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass on what may be exported of it."""
        self._then.on_end(strip_unlisted(span))

    def shutdown(self) -> None:
        """End what comes after."""
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was passed on."""
        return self._then.force_flush(timeout_millis)
