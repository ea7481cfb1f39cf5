"""What is told of a call when it has ended: one record, from which its log line is written."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import grpc

from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.call_record import SUCCEEDED, CallRecord, Notes
from payorch_server.model.caller import NOBODY, Caller
from payorch_server.model.errors import CallError

_PLACE: Final = ("tenant", "entity", "rule", "policy_hash")
_DIGITS: Final = 6


def call_record(
    error: CallError | None,
    *,
    method: str,
    code: grpc.StatusCode,
    track_id: str,
    caller: Caller = NOBODY,
    notes: Notes,
    ended_at: datetime,
    duration_s: float,
) -> CallRecord:
    """Return the record of a call.

    Args:
        error: Why it failed; None for a success.
        method: Full name of the RPC.
        code: Its status.
        track_id: Its Zuora-Track-Id.
        caller: Who called, as far as that was found out.
        notes: What was noted on its way.
        ended_at: When, UTC.
        duration_s: How long it took.
    """
    failed = error.failure if error else None
    facts = failed.facts if failed else None
    upstream = facts if facts and facts != UpstreamFacts() else None
    return CallRecord(
        kind="call",
        rpc=method.rpartition("/")[2],
        method=method,
        track_id=track_id,
        trace_id=notes.trace_id,
        caller=caller.identity,
        namespace=caller.namespace,
        started_at=ended_at - timedelta(seconds=duration_s),
        duration_s=round(duration_s, _DIGITS),
        outcome=error.verdict.outcome.name if error else SUCCEEDED,
        code=code.name,
        advice=error.verdict.advice.name if error else "",
        reason=failed.reason.name if failed else "",
        detail=failed.private if failed else "",
        place=notes.place,
        intent=notes.intent,
        right=failed.metadata.get("right", "") if failed else "",
        phases_s=dict(notes.phases_s),
        attempts=upstream.attempts if upstream else notes.attempts,
        executed_track_id=upstream.echoed_track_id if upstream else notes.executed_track_id,
        zuora_request_id=upstream.zuora_request_id if upstream else notes.zuora_request_id,
        zuora_process_id=upstream.zuora_process_id if upstream else notes.zuora_process_id,
        evidence=failed.evidence if failed else notes.evidence,
    )


def log_fields(record: CallRecord) -> Mapping[str, Any]:
    """Return what the log line of a call says; nothing that is empty."""
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
    fields |= {name: getattr(record.place, name) for name in _PLACE}
    fields |= {f"{phase}_s": round(seconds, _DIGITS) for phase, seconds in record.phases_s.items()}
    return {name: value for name, value in fields.items() if value not in {"", 0}}
