"""What is told of one execution of an intent, whether or not its caller waited for the end."""

from datetime import datetime

from payorch_server.model.call_record import SUCCEEDED, CallRecord
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason


def flight_record(
    context: CallContext, error: BaseException | None, *, rpc: str, started_at: datetime, duration_s: float
) -> CallRecord:
    """Return the record of a flight.

    Args:
        context: Of the call that departed it.
        error: Why it failed; None for a success.
        rpc: Name of the RPC.
        started_at: When, UTC.
        duration_s: How long it took.
    """
    notes = context.notes
    failed = error.failure if isinstance(error, CallError) else None
    defect = error is not None and failed is None
    facts = failed.facts if failed else None
    outcome = error.verdict.outcome.name if isinstance(error, CallError) else SUCCEEDED
    return CallRecord(
        kind="flight",
        rpc=rpc,
        track_id=context.track_id,
        trace_id=notes.trace_id,
        caller=context.caller.identity,
        namespace=context.namespace,
        started_at=started_at,
        duration_s=round(duration_s, 6),
        outcome=Outcome.UNKNOWN.name if defect else outcome,
        advice=error.verdict.advice.name if isinstance(error, CallError) else "",
        reason=Reason.INTERNAL.name if defect else failed.reason.name if failed else "",
        detail=failed.private if failed else type(error).__name__ if error else "",
        place=notes.place,
        intent=notes.intent,
        phases_s=dict(notes.phases_s),
        attempts=facts.attempts if facts else notes.attempts,
        executed_track_id=facts.echoed_track_id if facts else notes.executed_track_id,
        zuora_request_id=facts.zuora_request_id if facts else notes.zuora_request_id,
        zuora_process_id=facts.zuora_process_id if facts else notes.zuora_process_id,
        evidence=failed.evidence if failed else notes.evidence,
    )
