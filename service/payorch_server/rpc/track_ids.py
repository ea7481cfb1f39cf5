"""The Track-Id of a call and its link to the call's trace; under what Track-Ids and request ids are shown."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry import trace

from payorch_server.model.errors import CallError, Failure, Violation, error_for
from payorch_server.model.identifiers import (
    TRACK_ID_RULE,
    RequestId,
    TrackId,
    minted_track_id,
    parse_track_id,
    span_ids_of,
)
from payorch_server.model.outcome import Reason
from payorch_server.model.shown_forms import MASKED, is_shown_request_id, shown_track_id
from payorch_server.store.keyring import Keyring
from payorch_server.telemetry.spans import emit_pointer
from payorch_server.zuora.messages import TRACK_ID_HEADER

TRACK_ID_KEY: Final = TRACK_ID_HEADER


def track_id_of(metadata: Sequence[tuple[str, Any]], span: trace.Span) -> tuple[TrackId, CallError | None]:
    """Return the call's Track-Id, the caller's or a new one, and the error if the caller's is invalid.

    Args:
        metadata: Keys and values of the call.
        span: The call's server span, whose ids make up a new Track-Id.
    """
    given = [value for key, value in metadata if key == TRACK_ID_KEY]
    own = span.get_span_context()
    minted = minted_track_id(own.trace_id or secrets.randbits(128), own.span_id or secrets.randbits(64))
    if not given:
        return minted, None
    track_id = parse_track_id(given[0]) if len(given) == 1 and isinstance(given[0], str) else None
    if track_id is None:
        violation = Violation(f"metadata.{TRACK_ID_KEY}", "track_id", TRACK_ID_RULE)
        detail = f"{len(given)} values of {TRACK_ID_KEY}, or one that breaks the rule"
        return minted, error_for(Failure(Reason.TRACK_ID_INVALID, detail, violations=(violation,)))
    return track_id, None


def recorded_track_ids(track_id: TrackId, keyring: Keyring) -> tuple[TrackId, ...]:
    """Return under what a Track-Id is shown and recorded: itself, or keyed hashes of one that looks like a secret.

    Args:
        track_id: As a caller gave it.
        keyring: Has the fleet's keys.

    Returns:
        The form in use first; a second one where records may have been written under the previous key.
    """
    if shown_track_id(track_id) != MASKED:
        return (track_id,)
    return tuple(map(TrackId, keyring.pseudonyms(track_id, purpose="track id")))


def recorded_request_ids(request_id: RequestId, keyring: Keyring) -> tuple[str, ...]:
    """Return under what a request id is shown and recorded, as `recorded_track_ids` does."""
    return (request_id,) if is_shown_request_id(request_id) else keyring.pseudonyms(request_id, purpose="request id")


def link_track_id(span: trace.Span, track_id: TrackId, tracer: trace.Tracer) -> None:
    """Emit a span in the Track-Id's own trace that links to the call's server span, unless they share the trace.

    The trace is computed from the Track-Id, and all its calls are found there.
    """
    trace_id, span_id = span_ids_of(track_id)
    if span.is_recording() and trace_id != span.get_span_context().trace_id:
        emit_pointer(tracer, "call", span, trace_id=trace_id, span_id=span_id)
