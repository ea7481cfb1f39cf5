"""The table of attributes that spans may have; all others are removed before anything is exported."""

import re
from collections.abc import Mapping
from copy import copy
from typing import Final

from opentelemetry.sdk.trace import Event  # noqa: TID251 - as spans have them
from opentelemetry.trace import Status
from opentelemetry.util.types import AnyValue

from payorch_server.telemetry.recorded_spans import RecordedSpan

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


def strip_unlisted(span: RecordedSpan) -> RecordedSpan:
    """Return the span as it may be exported: the same span, or a copy without what is not listed."""
    is_described = _DESCRIPTION.fullmatch(span.status.description or "")
    if _are_listed(span.attributes) and is_described and all(map(_is_listed_event, span.events)):
        return span
    stripped = copy(span)
    stripped.attributes = {name: value for name, value in span.attributes.items() if _is_listed(name)}
    stripped.events = tuple(filter(_is_listed_event, span.events))
    if not is_described:
        stripped.status = Status(span.status.status_code)
    return stripped


def _is_listed_event(event: Event) -> bool:
    return event.name in EVENTS and _are_listed(event.attributes or {})


def _are_listed(attributes: Mapping[str, AnyValue]) -> bool:
    return attributes.keys() <= ATTRIBUTES.keys() or all(map(_is_listed, attributes))


def _is_listed(name: str) -> bool:
    return name in ATTRIBUTES or name.startswith(BAGGAGE)
