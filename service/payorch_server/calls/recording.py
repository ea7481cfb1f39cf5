"""The record of an ended call or execution, from which its log line, metrics and history are made."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.call_notes import CallNotes, RouteNames
from payorch_server.model.caller import Caller
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, UpstreamEvidence
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.sensitive_text import scrub_text

SUCCEEDED: Final = "SUCCEEDED"
_NO_FACTS: Final = UpstreamFacts()
_DIGITS: Final = 6


class CallRecord(msgspec.Struct, frozen=True):
    """A call or an execution that has ended. Nothing sensitive is in it."""

    kind: Literal["call", "execution"]
    """A call is what a caller saw; an execution is one run of an intent, whose caller may have left before its end."""
    rpc: str
    """Name such as `CreateSession`."""
    track_id: str
    trace_id: str
    """32 hexadecimal digits; empty when there is no trace."""
    caller: str
    namespace: str
    started_at: datetime
    """UTC."""
    duration_s: float
    outcome: str
    """Name of the Outcome."""
    method: str = ""
    """Full name, such as `payorch.v1.PaymentOrchestrationService/CreateSession`; empty for an execution."""
    code: str = ""
    """Name of the status code; empty for an execution."""
    advice: str = ""
    reason: str = ""
    """Name of the Reason; empty for success."""
    detail: str = ""
    """For operators; scrubbed of what Zuora quoted."""
    route: RouteNames = msgspec.field(default_factory=RouteNames)
    intent: str = ""
    """How the call met its intent: opened, taken_over, joined, replayed or unrecorded; empty when it has none."""
    right: str = ""
    """The right that was missing."""
    phases_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Seconds in each phase: record (the store), token and queue (waits), zuora."""
    attempts: tuple[Attempt, ...] = ()
    executed_track_id: str = ""
    zuora_request_id: str = ""
    zuora_process_id: str = ""
    evidence: UpstreamEvidence = msgspec.field(default_factory=UpstreamEvidence)
    request_id: str = ""
    """As it is shown: a keyed hash where it looks like a secret; empty where there is none."""


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
    rpc = method.rpartition("/")[2]
    return _record(error, "call", rpc, method, code, track_id, caller, notes, ended_at, duration_s)


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
    caller, notes = context.caller, context.notes
    return _record(error, "execution", rpc, "", "", context.track_id, caller, notes, ended_at, duration_s)


def _record(
    error: BaseException | None,
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
    facts = failure.facts if failure and failure.facts != _NO_FACTS else None
    return CallRecord(
        kind=kind,
        rpc=rpc,
        track_id=track_id,
        trace_id=notes.trace_id,
        caller=caller.identity,
        namespace=caller.namespace,
        started_at=ended_at - timedelta(seconds=duration_s),
        duration_s=round(duration_s, _DIGITS),
        outcome=outcome,
        method=method,
        code=code,
        advice=advice,
        reason=reason,
        detail=scrub_text(detail) if detail else "",
        route=notes.route,
        intent=notes.intent,
        right=right,
        # A copy: an execution continues when its caller has left.
        phases_s=notes.phases_s.copy(),
        attempts=facts.attempts if facts else notes.attempts,
        executed_track_id=facts.echoed_track_id if facts else notes.executed_track_id,
        zuora_request_id=facts.zuora_request_id if facts else notes.zuora_request_id,
        zuora_process_id=facts.zuora_process_id if facts else notes.zuora_process_id,
        evidence=failure.evidence if failure else notes.evidence,
        request_id=notes.request_id,
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


def naming_fields(record: CallRecord) -> dict[str, Any]:
    """Return what names a record's call in a log line, as `CallContext.log_fields` does while it is served."""
    fields = {
        "track_id": record.track_id,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "caller": record.caller,
        "namespace": record.namespace,
        "tenant": record.route.tenant,
    }
    return {name: value for name, value in fields.items() if value}


def log_fields(record: CallRecord) -> dict[str, Any]:
    """Return the fields of the log line of a call or an execution; empty ones are left out."""
    route = record.route
    fields = {
        "rpc": record.rpc,
        "outcome": record.outcome,
        "reason": record.reason,
        "detail": record.detail,
        "advice": record.advice,
        "track_id": record.track_id,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "caller": record.caller,
        "namespace": record.namespace,
        "tenant": route.tenant,
        "entity": route.entity,
        "code": record.code,
        "intent": record.intent,
        "attempts": len(record.attempts),
        "zuora_request_id": record.zuora_request_id,
        "duration_s": record.duration_s,
        "rule": route.rule,
        "policy_hash": route.policy_hash,
    }
    for phase, seconds in record.phases_s.items():
        fields[f"{phase}_s"] = round(seconds, _DIGITS)
    return {name: value for name, value in fields.items() if value}
