"""The status that a caller receives for an error: one table maps reasons to status codes and public messages."""

from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from payorch.v1 import call_pb2

from payorch_server.intents.intent_record import IntentStatus, reason_of, resend_before
from payorch_server.model.attempt import Attempt
from payorch_server.model.errors import CallError, Failure
from payorch_server.model.identifiers import TrackId
from payorch_server.model.outcome import Advice, Outcome, Reason, Verdict, verdict_of

DOMAIN: Final = "payorch"
MAX_VIOLATIONS: Final = 25
MAX_STATUS_BYTES: Final = 3072
"""Past 8 KiB of metadata gRPC replaces an error by one of its own; other trailers and proxies need the rest."""
_MAX_ATTEMPTS: Final = 5
_MAX_CODES: Final = 10
_MAX_TEXT_BYTES: Final = 200
_MAX_ID_BYTES: Final = 80
_MAX_CODE_BYTES: Final = 40
# For the count of omitted violations and the length prefixes around a BadRequest.
_SPARE_BYTES: Final = 96
RETRY_S: Final = {
    Reason.UPSTREAM_IN_PROGRESS.name: 2.0,
    Reason.OVERLOADED.name: 0.5,
    # A client sends four times: over six seconds, in which Redis restarts.
    Reason.STORE_UNAVAILABLE.name: 2.0,
    Reason.AUDIT_UNAVAILABLE.name: 5.0,
    Reason.CLOCK_OFFSET_TOO_LARGE.name: 20.0,
    Reason.CALLER_KEYS_UNAVAILABLE.name: 5.0,
}

_Code = grpc.StatusCode

CATALOGUE: Final[dict[Reason, tuple[grpc.StatusCode, str]]] = {
    Reason.REQUEST_INVALID: (_Code.INVALID_ARGUMENT, "The request breaks rules; the details name each field."),
    Reason.REQUEST_MALFORMED: (_Code.INVALID_ARGUMENT, "The request cannot be decoded as this method's message."),
    Reason.REQUEST_TOO_LARGE: (_Code.RESOURCE_EXHAUSTED, "The request is larger than the service accepts."),
    Reason.METHOD_UNKNOWN: (_Code.UNIMPLEMENTED, "This version of the service has no such method."),
    Reason.TRACK_ID_INVALID: (_Code.INVALID_ARGUMENT, "The metadata zuora-track-id breaks a rule."),
    Reason.PAYMENT_METHOD_TYPE_UNSUPPORTED: (_Code.INVALID_ARGUMENT, "This type of payment method cannot be created."),
    Reason.RAW_CARD_DATA_DISABLED: (_Code.FAILED_PRECONDITION, "Raw card numbers are switched off in this service."),
    Reason.INTENT_MISMATCH: (_Code.INVALID_ARGUMENT, "The request id was used for a different request."),
    Reason.INTENT_EXPIRED: (_Code.UNKNOWN, "The intent is too old to be resent, and its outcome is not recorded."),
    Reason.ROUTE_GONE: (_Code.UNKNOWN, "The tenant that the intent was sent to is no longer configured."),
    Reason.SESSION_STALE: (_Code.FAILED_PRECONDITION, "The session of this request id is too old to be used."),
    Reason.APPLE_PAY_TOKEN_REUSED: (_Code.ALREADY_EXISTS, "The Apple Pay token was used by another intent."),
    Reason.STORE_UNAVAILABLE: (_Code.UNAVAILABLE, "Without the intent store, only sessions are created."),
    Reason.AUDIT_UNAVAILABLE: (_Code.UNAVAILABLE, "Payments are refused while the audit cannot be written."),
    Reason.CLOCK_OFFSET_TOO_LARGE: (
        _Code.UNAVAILABLE,
        "Payments are refused while the clocks of the service and of Zuora differ too much.",
    ),
    Reason.ROUTE_NOT_FOUND: (_Code.FAILED_PRECONDITION, "No routing rule matches this call."),
    Reason.ROUTE_HINT_UNKNOWN: (_Code.INVALID_ARGUMENT, "A route hint names something the policy does not know."),
    Reason.ROUTE_HINT_CONTRADICTED: (_Code.FAILED_PRECONDITION, "A route hint contradicts the rule that matches."),
    Reason.DEADLINE_TOO_SHORT: (
        _Code.DEADLINE_EXCEEDED,
        "Too little time remained before the deadline to send anything.",
    ),
    Reason.OVERLOADED: (_Code.RESOURCE_EXHAUSTED, "The service is at its limit of calls in progress."),
    Reason.CALLER_LEFT: (
        _Code.CANCELLED,
        "The caller disconnected, or its deadline passed, during the call.",
    ),
    Reason.STILL_RUNNING: (
        _Code.DEADLINE_EXCEEDED,
        "The deadline passed; the service is still working on the call.",
    ),
    Reason.EARLIER_ATTEMPT_UNSETTLED: (
        _Code.UNAVAILABLE,
        "An earlier attempt may have been executed; this one was not.",
    ),
    Reason.INTENT_NOT_RECORDED: (
        _Code.UNKNOWN,
        "The request may have been executed, and no record shows it.",
    ),
    Reason.INTENT_RECORD_UNREADABLE: (
        _Code.UNKNOWN,
        "The request may have been executed: its record cannot be read, and an operator has to look.",
    ),
    Reason.UPSTREAM_UNREACHABLE: (_Code.UNAVAILABLE, "No connection to Zuora could be made."),
    Reason.UPSTREAM_TLS_FAILED: (_Code.UNAVAILABLE, "Zuora's certificate was refused."),
    Reason.UPSTREAM_CIRCUIT_OPEN: (_Code.UNAVAILABLE, "Zuora has stopped answering this tenant's calls."),
    Reason.UPSTREAM_NO_ANSWER: (_Code.UNAVAILABLE, "Zuora did not answer; the request may have been executed."),
    Reason.UPSTREAM_EDGE_FAILED: (
        _Code.UNAVAILABLE,
        "A proxy in front of Zuora failed; the request may have been executed.",
    ),
    Reason.UPSTREAM_IN_PROGRESS: (
        _Code.UNAVAILABLE,
        "An earlier attempt of this request is still running at Zuora.",
    ),
    Reason.UPSTREAM_KEY_CONFLICT: (_Code.UNKNOWN, "Zuora has this request id from a different request."),
    Reason.UPSTREAM_ANSWER_UNREADABLE: (
        _Code.UNKNOWN,
        "Zuora's answer cannot be read; the request may have been executed.",
    ),
    Reason.UPSTREAM_ANSWER_INCOMPLETE: (_Code.UNKNOWN, "Zuora reported success without the promised id or token."),
    Reason.TOKEN_UNAVAILABLE: (_Code.UNAVAILABLE, "Zuora issued no access token."),
    Reason.UPSTREAM_CREDENTIALS_REJECTED: (_Code.FAILED_PRECONDITION, "Zuora refuses the service's own credentials."),
    Reason.UPSTREAM_THROTTLED: (_Code.RESOURCE_EXHAUSTED, "Zuora limits the calls of this tenant."),
    Reason.UPSTREAM_REQUEST_REFUSED: (_Code.INVALID_ARGUMENT, "Zuora refuses a value of the request."),
    Reason.UPSTREAM_RULE_BROKEN: (
        _Code.FAILED_PRECONDITION,
        "Zuora refuses the request because of a business rule.",
    ),
    Reason.UPSTREAM_NOT_FOUND: (_Code.NOT_FOUND, "Zuora cannot find something that the request names."),
    Reason.UPSTREAM_PERMISSION_DENIED: (_Code.FAILED_PRECONDITION, "The service's Zuora user may not do this."),
    Reason.UPSTREAM_UNSUPPORTED: (_Code.FAILED_PRECONDITION, "Zuora does not support this request."),
    Reason.UPSTREAM_LOCKED: (_Code.ABORTED, "Zuora could not get a lock."),
    Reason.UPSTREAM_TEMPORARY: (_Code.ABORTED, "Zuora had a temporary fault and did nothing."),
    Reason.PAYMENT_DECLINED: (_Code.FAILED_PRECONDITION, "The payment was declined."),
    Reason.UPSTREAM_CODE_UNKNOWN: (_Code.UNKNOWN, "Zuora answered with a code that the service does not know."),
    Reason.UPSTREAM_INTERNAL: (_Code.UNKNOWN, "Zuora had an internal fault after it accepted the request."),
    Reason.UPSTREAM_GATEWAY_FAILED: (
        _Code.UNKNOWN,
        "A system behind Zuora failed; the request may have been executed.",
    ),
    Reason.PAYMENT_REFUSED_METHOD_CREATED: (
        _Code.FAILED_PRECONDITION,
        "The payment method was created and its payment was not confirmed.",
    ),
    Reason.UPSTREAM_REFUSAL_STORED: (_Code.ABORTED, "Zuora keeps repeating a stored refusal."),
    Reason.CALLER_UNAUTHENTICATED: (_Code.UNAUTHENTICATED, "The caller could not be authenticated."),
    Reason.CALLER_NOT_PERMITTED: (_Code.PERMISSION_DENIED, "The caller's rights do not cover this call."),
    Reason.SWITCHED_OFF: (_Code.UNAVAILABLE, "The operator has switched this off for the tenant."),
    Reason.CALLER_KEYS_UNAVAILABLE: (_Code.UNAVAILABLE, "The keys that verify the caller's token cannot be fetched."),
    Reason.INTERNAL: (_Code.INTERNAL, "The service failed; the request may have been executed."),
}

OUTCOMES: Final = {
    Outcome.SUCCEEDED: call_pb2.OUTCOME_SUCCEEDED,
    Outcome.NOT_SENT: call_pb2.OUTCOME_NOT_SENT,
    Outcome.REFUSED: call_pb2.OUTCOME_REFUSED,
    Outcome.PARTIAL: call_pb2.OUTCOME_PARTIAL,
    Outcome.UNKNOWN: call_pb2.OUTCOME_UNKNOWN,
}
ADVICE: Final = {
    Advice.NONE: call_pb2.ADVICE_NONE,
    Advice.RESEND_SAME_REQUEST_ID: call_pb2.ADVICE_RESEND_SAME_REQUEST_ID,
    Advice.FIX_REQUEST: call_pb2.ADVICE_FIX_REQUEST,
    Advice.USE_NEW_REQUEST_ID: call_pb2.ADVICE_USE_NEW_REQUEST_ID,
    Advice.LOOK_UP: call_pb2.ADVICE_LOOK_UP,
}


def code_of(error: CallError) -> grpc.StatusCode:
    """Return the status code of an error."""
    return CATALOGUE[error.failure.reason][0]


def trailers_of(error: CallError) -> tuple[tuple[str, str], ...]:
    """Return the plain trailers that repeat the outcome and the advice."""
    verdict = error.verdict
    return (("payorch-outcome", verdict.outcome.name), ("payorch-advice", verdict.advice.name))


def status_of(error: CallError, *, track_id: TrackId) -> status_pb2.Status:
    """Return the status with its details: ErrorInfo, CallOutcome, then those that apply.

    It is never larger than MAX_STATUS_BYTES; violations that do not fit are counted. The first is part of the message
    too, because tools such as grpcurl and buf show details as Base64.
    """
    failure = error.failure
    code, message = CATALOGUE[failure.reason]
    status = status_pb2.Status(code=code.value[0], message=" ".join([message, *_first_violation(failure)]))
    info = _error_info(failure)
    for detail in (info, _call_outcome(error, track_id), *_further_details(failure)):
        status.details.add().Pack(detail)
    if failure.violations:
        bad = _bad_request(failure, MAX_STATUS_BYTES - status.ByteSize() - _SPARE_BYTES)
        status.details.add().Pack(bad)
        if omitted := len(failure.violations) - len(bad.field_violations):
            info.metadata["violationsOmitted"] = str(omitted)
            status.details[0].Pack(info)
    return status


def _first_violation(failure: Failure) -> list[str]:
    # A key of a map is the caller's text.
    first = failure.violations[:1]
    return [_truncate(f"{violation.path_without_keys}: {violation.description}") for violation in first]


def _error_info(failure: Failure) -> error_details_pb2.ErrorInfo:
    metadata = {key: _truncate(value) for key, value in failure.metadata.items()}
    return error_details_pb2.ErrorInfo(reason=failure.reason.name, domain=DOMAIN, metadata=metadata)


def _call_outcome(error: CallError, track_id: TrackId) -> call_pb2.CallOutcome:
    verdict, evidence, facts = error.verdict, error.failure.evidence, error.failure.facts
    outcome = call_pb2.CallOutcome(
        outcome=OUTCOMES[verdict.outcome],
        advice=ADVICE[verdict.advice],
        zuora_codes=[_truncate(code, _MAX_CODE_BYTES) for code in evidence.zuora_codes[:_MAX_CODES]],
        zuora_process_id=_truncate(facts.zuora_process_id, _MAX_ID_BYTES),
        zuora_request_id=_truncate(facts.zuora_request_id, _MAX_ID_BYTES),
        attempts=[attempt_message(attempt) for attempt in facts.attempts[-_MAX_ATTEMPTS:]],
        track_id=track_id,
    )
    if error.failure.resend_before and verdict.advice is Advice.RESEND_SAME_REQUEST_ID:
        outcome.resend_before_time.FromDatetime(error.failure.resend_before)
    if evidence.payment_method_id or evidence.payment_id:
        outcome.existing.payment_method_id = _truncate(evidence.payment_method_id, _MAX_ID_BYTES)
        outcome.existing.payment_id = _truncate(evidence.payment_id, _MAX_ID_BYTES)
    return outcome


def recorded_outcome(status: IntentStatus, *, rpc: str) -> call_pb2.CallOutcome:
    """Return the outcome of an RPC's intent that is not in flight: its settlement, or UNKNOWN if it has none."""
    settlement = status.record.settlement
    if settlement is None and status.expired:
        return outcome_of(Reason.INTENT_EXPIRED, rpc=rpc)
    if settlement is None:
        unsettled = call_pb2.CallOutcome(
            outcome=call_pb2.OUTCOME_UNKNOWN, advice=call_pb2.ADVICE_RESEND_SAME_REQUEST_ID
        )
        unsettled.resend_before_time.FromDatetime(resend_before(status.record))
        return unsettled
    reason = reason_of(settlement)
    verdict = verdict_of(reason, rpc=rpc) if reason else Verdict(Outcome.SUCCEEDED, Advice.NONE)
    return call_pb2.CallOutcome(
        outcome=OUTCOMES[verdict.outcome],
        advice=ADVICE[verdict.advice],
        zuora_codes=settlement.evidence.zuora_codes,
        zuora_process_id=_truncate(settlement.zuora_process_id),
        zuora_request_id=_truncate(settlement.zuora_request_id),
        track_id=settlement.executed_track_id,
    )


def outcome_of(reason: Reason, *, rpc: str) -> call_pb2.CallOutcome:
    """Return what a reason alone means for an RPC's intent."""
    verdict = verdict_of(reason, rpc=rpc)
    return call_pb2.CallOutcome(outcome=OUTCOMES[verdict.outcome], advice=ADVICE[verdict.advice])


def attempt_message(attempt: Attempt) -> call_pb2.Attempt:
    """Return the wire form of an attempt."""
    message = call_pb2.Attempt(
        ordinal=attempt.ordinal,
        http_status=attempt.http_status,
        zuora_request_id=_truncate(attempt.zuora_request_id, _MAX_ID_BYTES),
        outcome=OUTCOMES[attempt.outcome],
    )
    message.start_time.FromDatetime(attempt.started_at)
    message.duration.FromNanoseconds(int(attempt.duration_s * 1e9))
    return message


def _further_details(failure: Failure) -> list[Message]:
    details: list[Message] = []
    obstacle = failure.metadata.get("lastReason", failure.reason.name)
    retry_s = failure.evidence.retry_after_s or RETRY_S.get(obstacle)
    if retry_s is not None:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.FromNanoseconds(int(retry_s * 1e9))
        details.append(info)
    if request_id := failure.facts.zuora_request_id:
        details.append(error_details_pb2.RequestInfo(request_id=_truncate(request_id, _MAX_ID_BYTES)))
    return details


def _bad_request(failure: Failure, budget_bytes: int) -> error_details_pb2.BadRequest:
    """Return as many violations as fit, in order."""
    bad = error_details_pb2.BadRequest()
    for violation in failure.violations[:MAX_VIOLATIONS]:
        bad.field_violations.add(
            field=_truncate(violation.field),
            description=_truncate(violation.description),
            reason=_truncate(violation.rule),
        )
        if bad.ByteSize() > budget_bytes:
            del bad.field_violations[-1]
            break
    return bad


def _truncate(text: str, max_bytes: int = _MAX_TEXT_BYTES) -> str:
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")
