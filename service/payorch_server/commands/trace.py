"""The command `trace`: shows what happened to the calls with a Track-Id."""

from collections.abc import Iterator
from typing import Final

import grpc
from google.rpc import code_pb2
from payorch import CallError
from payorch.v1 import call_pb2, error_reason_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc

from payorch_server.model.identifiers import TRACK_ID_RULE, parse_track_id, trace_id_of
from payorch_server.model.shown_forms import MASKED, shown_track_id

_TIMEOUT_S: Final = 10.0
_WIDTH: Final = 48
_LABEL: Final = 14


def show(track_id: str, *, channel: grpc.Channel, link: str) -> tuple[int, str]:
    """Return an exit status and what to print.

    Args:
        track_id: A Zuora-Track-Id.
        channel: To the diagnostics listener.
        link: URL of a trace in a viewer, with {trace_id} in it; empty: only the trace id is printed.
    """
    parsed = parse_track_id(track_id)
    if parsed is None:
        return 2, f"{track_id!r} is not a Track-Id: it {TRACK_ID_RULE}."
    request = diagnostics_pb2.GetCallRequest(track_id=track_id)
    try:
        response = diagnostics_grpc.DiagnosticsServiceStub(channel).GetCall(request, timeout=_TIMEOUT_S)
    except grpc.RpcError as error:
        failure = CallError.from_rpc_error(error)
        cause = f"{failure.reason or failure.code.name}: {failure.message}"
        text = f"The records could not be read ({cause})."
        # The service hashes a Track-Id that looks like a secret, and alone knows its trace.
        is_shown = shown_track_id(parsed) != MASKED
        return 1, f"{text}\nThe trace of this Track-Id is {_trace(trace_id_of(parsed), link)}." if is_shown else text
    trace = _trace(response.trace_id, link)
    if not response.calls:
        return 1, (
            f"There is no record of {track_id}. Records are kept for a limited time, and only by the replica that "
            f"served the call unless call_history.in_store is set.\nThe trace of this Track-Id is {trace}."
        )
    return 0, "\n\n".join("\n".join(_lines(call)) for call in response.calls) + f"\n\ntrace {trace}"


def _trace(trace_id: str, link: str) -> str:
    return link.replace("{trace_id}", trace_id) if link else trace_id


def _lines(call: diagnostics_pb2.CallRecord) -> Iterator[str]:
    started = call.start_time.ToDatetime().isoformat(timespec="milliseconds")
    kind = diagnostics_pb2.CallKind.Name(call.kind).removeprefix("CALL_KIND_").lower()
    yield f"{kind} {call.rpc}, {started}Z, {_ms(call.duration)}"
    for label, text in (
        ("caller", call.caller),
        ("outcome", _outcome(call)),
        ("detail", call.detail),
        ("route", _route(call)),
        ("intent", _intent(call)),
        ("executed by", call.executed_track_id if call.executed_track_id != call.track_id else ""),
        ("Zuora", " ".join(filter(None, (call.zuora_request_id, call.zuora_process_id, *call.zuora_codes)))),
        ("exists", " ".join(filter(None, (call.existing.payment_method_id, call.existing.payment_id)))),
        ("phases", ", ".join(f"{name} {_ms(took)}" for name, took in sorted(call.phases.items()))),
    ):
        if text:
            yield f"  {label:<{_LABEL}}{text}"
    yield from _waterfall(call)


def _outcome(call: diagnostics_pb2.CallRecord) -> str:
    outcome = call_pb2.Outcome.Name(call.outcome).removeprefix("OUTCOME_")
    advice = call_pb2.Advice.Name(call.advice).removeprefix("ADVICE_").lower().replace("_", " ")
    code = code_pb2.Code.Name(call.code) if call.HasField("code") else ""
    reason = error_reason_pb2.ErrorReason.Name(call.error_reason).removeprefix("ERROR_REASON_")
    parts = [outcome, code, *([reason, f"advice: {advice}"] if call.error_reason else [])]
    return ", ".join(filter(None, parts))


def _intent(call: diagnostics_pb2.CallRecord) -> str:
    disposition = diagnostics_pb2.IntentDisposition.Name(call.intent).removeprefix("INTENT_DISPOSITION_")
    return disposition.lower() if call.intent else ""


def _route(call: diagnostics_pb2.CallRecord) -> str:
    if not call.tenant:
        return ""
    names = "/".join(filter(None, (call.tenant, call.entity)))
    return f"{names} by rule {call.matched_rule}, policy {call.policy_hash}"


def _waterfall(call: diagnostics_pb2.CallRecord) -> Iterator[str]:
    """Draw each attempt at its time within the call."""
    whole_s = max(call.duration.ToTimedelta().total_seconds(), 1e-6)
    for attempt in call.attempts:
        offset_s = (attempt.start_time.ToDatetime() - call.start_time.ToDatetime()).total_seconds()
        took_s = attempt.duration.ToTimedelta().total_seconds()
        before = min(max(round(offset_s / whole_s * _WIDTH), 0), _WIDTH - 1)
        bar = min(max(round(took_s / whole_s * _WIDTH), 1), _WIDTH - before)
        drawn = ("·" * before + "█" * bar).ljust(_WIDTH, "·")
        status = f"HTTP {attempt.http_status}" if attempt.http_status else "no answer"
        outcome = call_pb2.Outcome.Name(attempt.outcome).removeprefix("OUTCOME_")
        yield f"  attempt {attempt.ordinal:<{_LABEL - 8}}{drawn} {_ms(attempt.duration)} {status} {outcome}"


def _ms(duration: object) -> str:
    return f"{duration.ToNanoseconds() / 1e6:.1f} ms"  # type: ignore[attr-defined] # a protobuf Duration
