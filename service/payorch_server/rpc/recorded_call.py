"""What is remembered of a call, as a message."""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2

from payorch_server.model.call_record import CallRecord
from payorch_server.model.outcome import Advice, Outcome
from payorch_server.rpc.status import ADVICE, OUTCOMES, attempt_message


def encode_calls(records: Sequence[CallRecord], *, trace_id: str) -> diagnostics_pb2.GetCallResponse:
    """Return the response."""
    return diagnostics_pb2.GetCallResponse(calls=[recorded_call(one) for one in records], trace_id=trace_id)


def recorded_call(record: CallRecord) -> diagnostics_pb2.RecordedCall:
    """Return one record."""
    place = record.place
    message = diagnostics_pb2.RecordedCall(
        kind=record.kind,
        rpc=record.rpc,
        track_id=record.track_id,
        trace_id=record.trace_id,
        caller=record.caller,
        duration=_duration(record.duration_s),
        code=record.code,
        outcome=OUTCOMES[Outcome[record.outcome]],
        advice=ADVICE[Advice[record.advice or Advice.NONE.name]],
        reason=record.reason,
        detail=record.detail,
        tenant=place.tenant,
        entity=place.entity,
        matched_rule=place.rule,
        policy_hash=place.policy_hash,
        intent=record.intent,
        phases={name: _duration(seconds) for name, seconds in record.phases_s.items()},
        attempts=[attempt_message(one) for one in record.attempts],
        executed_track_id=record.executed_track_id,
        zuora_request_id=record.zuora_request_id,
        zuora_process_id=record.zuora_process_id,
        zuora_codes=record.evidence.zuora_codes,
    )
    message.start_time.FromDatetime(record.started_at)
    for one in record.attempts:
        message.attempt_starts.add().FromDatetime(one.started_at)
    if record.evidence.payment_method_id or record.evidence.payment_id:
        message.existing.payment_method_id = record.evidence.payment_method_id
        message.existing.payment_id = record.evidence.payment_id
    return message


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
