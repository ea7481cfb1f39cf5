"""The record of an ended call or execution, and the log line that is written from it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.call_record import SUCCEEDED, CallNotes, CallRecord
from payorch_server.model.caller import Caller
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.sensitive_text import scrub_text

_ROUTE_FIELDS: Final = ("tenant", "entity", "rule", "policy_hash")
_DIGITS: Final = 6


def record_of_call(
    error: CallError | None,
    *,
    method: str,
    code: str,
    track_id: str,
    caller: Caller,
    notes: CallNotes,
    ended_at: datetime,
    duration_s: float,
) -> CallRecord:
    """Return the record of a call.

    Args:
        error: Why it failed; None for a success.
        method: Full name of the RPC.
        code: Name of its status code.
        track_id: Its Zuora-Track-Id.
        caller: Who called, as far as that was found out.
        notes: What was noted while it was served.
        ended_at: When, UTC.
        duration_s: How long it took.
    """
    return _record(
        error,
        kind="call",
        rpc=method.rpartition("/")[2],
        method=method,
        code=code,
        track_id=track_id,
        caller=caller,
        notes=notes,
        ended_at=ended_at,
        duration_s=duration_s,
    )


def record_of_execution(
    error: BaseException | None, *, rpc: str, context: CallContext, ended_at: datetime, duration_s: float
) -> CallRecord:
    """Return the record of an execution, whether or not a caller waited for its end.

    Args:
        error: Why it failed; None for a success. One that is no CallError is a defect: the outcome is UNKNOWN.
        rpc: Name of the RPC.
        context: Of the call that started it.
        ended_at: When, UTC.
        duration_s: How long it took.
    """
    return _record(
        error,
        kind="execution",
        rpc=rpc,
        method="",
        code="",
        track_id=context.track_id,
        caller=context.caller,
        notes=context.notes,
        ended_at=ended_at,
        duration_s=duration_s,
    )


def _record(
    error: BaseException | None,
    *,
    kind: Literal["call", "execution"],
    rpc: str,
    method: str,
    code: str,
    track_id: str,
    caller: Caller,
    notes: CallNotes,
    ended_at: datetime,
    duration_s: float,
) -> CallRecord:
    outcome, advice, reason, detail, right = _end_of(error)
    failure = error.failure if isinstance(error, CallError) else None
    # An error without facts of its own keeps those that were noted before it, such as the attempts of a joined call.
    facts = failure.facts if failure and failure.facts != UpstreamFacts() else None
    return CallRecord(
        kind=kind,
        rpc=rpc,
        method=method,
        track_id=track_id,
        trace_id=notes.trace_id,
        caller=caller.identity,
        namespace=caller.namespace,
        started_at=ended_at - timedelta(seconds=duration_s),
        duration_s=round(duration_s, _DIGITS),
        outcome=outcome,
        code=code,
        advice=advice,
        reason=reason,
        detail=scrub_text(detail),
        route=notes.route,
        intent=notes.intent,
        right=right,
        phases_s=dict(notes.phases_s),
        attempts=facts.attempts if facts else notes.attempts,
        executed_track_id=facts.echoed_track_id if facts else notes.executed_track_id,
        zuora_request_id=facts.zuora_request_id if facts else notes.zuora_request_id,
        zuora_process_id=facts.zuora_process_id if facts else notes.zuora_process_id,
        evidence=failure.evidence if failure else notes.evidence,
    )


def _end_of(error: BaseException | None) -> tuple[str, str, str, str, str]:
    """Return outcome, advice, reason, detail and the missing right, each empty where it does not apply."""
    if error is None:
        return SUCCEEDED, "", "", "", ""
    if not isinstance(error, CallError):
        # Its own text could hold what must not be shown.
        return Outcome.UNKNOWN.name, "", Reason.INTERNAL.name, type(error).__name__, ""
    failure, verdict = error.failure, error.verdict
    right = failure.metadata.get("right", "")
    return verdict.outcome.name, verdict.advice.name, failure.reason.name, failure.detail, right


def log_fields(record: CallRecord) -> Mapping[str, Any]:
    """Return the fields of a call's log line; empty ones are left out."""
    fields: dict[str, Any] = {
        "rpc": record.rpc,
        "track_id": record.track_id,
        "trace_id": record.trace_id,
        "caller": record.caller,
        "code": record.code,
        "outcome": record.outcome,
        "reason": record.reason,
        "advice": record.advice,
        "detail": record.detail,
        "intent": record.intent,
        "attempts": len(record.attempts),
        "zuora_request_id": record.zuora_request_id,
        "duration_s": record.duration_s,
    }
    fields |= {name: getattr(record.route, name) for name in _ROUTE_FIELDS}
    fields |= {f"{phase}_s": round(seconds, _DIGITS) for phase, seconds in record.phases_s.items()}
    return {name: value for name, value in fields.items() if value not in {"", 0}}
