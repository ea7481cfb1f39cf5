"""What is remembered of a call, as a message."""

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import error_reason_pb2

from payorch_server.model.call_record import CallRecord
from payorch_server.model.outcome import Advice, Outcome
from payorch_server.rpc.status import ADVICE, OUTCOMES, attempt_message

_KINDS: Final[Mapping[str, diagnostics_pb2.CallKind.ValueType]] = {
    "call": diagnostics_pb2.CALL_KIND_CALL,
    "execution": diagnostics_pb2.CALL_KIND_EXECUTION,
}
_DISPOSITIONS: Final[Mapping[str, diagnostics_pb2.IntentDisposition.ValueType]] = {
    "opened": diagnostics_pb2.INTENT_DISPOSITION_OPENED,
    "taken_over": diagnostics_pb2.INTENT_DISPOSITION_TAKEN_OVER,
    "joined": diagnostics_pb2.INTENT_DISPOSITION_JOINED,
    "replayed": diagnostics_pb2.INTENT_DISPOSITION_REPLAYED,
    "unrecorded": diagnostics_pb2.INTENT_DISPOSITION_UNRECORDED,
}
_REASONS: Final = {name.removeprefix("ERROR_REASON_"): number for name, number in error_reason_pb2.ErrorReason.items()}


def encode_calls(records: Sequence[CallRecord], *, trace_id: str) -> diagnostics_pb2.GetCallResponse:
    """Return the response."""
    return diagnostics_pb2.GetCallResponse(calls=[encode_call_record(record) for record in records], trace_id=trace_id)


def encode_call_record(record: CallRecord) -> diagnostics_pb2.CallRecord:
    """Return one record as a message."""
    route = record.route
    message = diagnostics_pb2.CallRecord(
        kind=_KINDS[record.kind],
        rpc=record.rpc,
        track_id=record.track_id,
        trace_id=record.trace_id,
        caller=record.caller,
        duration=_duration(record.duration_s),
        code=code_pb2.Code.Value(record.code) if record.code else None,
        outcome=OUTCOMES[Outcome[record.outcome]],
        advice=ADVICE[Advice[record.advice or Advice.NONE.name]],
        # A replica of a newer version may have stored words that this one does not know.
        error_reason=_REASONS.get(record.reason, error_reason_pb2.ERROR_REASON_UNSPECIFIED),
        detail=record.detail,
        tenant=route.tenant,
        entity=route.entity,
        matched_rule=route.rule,
        policy_hash=route.policy_hash,
        intent=_DISPOSITIONS.get(record.intent, diagnostics_pb2.INTENT_DISPOSITION_UNSPECIFIED),
        phases={name: _duration(seconds) for name, seconds in record.phases_s.items()},
        attempts=[attempt_message(one) for one in record.attempts],
        executed_track_id=record.executed_track_id,
        zuora_request_id=record.zuora_request_id,
        zuora_process_id=record.zuora_process_id,
        zuora_codes=record.evidence.zuora_codes,
    )
    message.start_time.FromDatetime(record.started_at)
    if record.evidence.payment_method_id or record.evidence.payment_id:
        message.existing.payment_method_id = record.evidence.payment_method_id
        message.existing.payment_id = record.evidence.payment_id
    return message


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
