"""The command `trace`: shows what happened to the calls with a Track-Id or a request id."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf import json_format  # noqa: TID251 - prints records, which hold no secret
from google.rpc import code_pb2
from payorch import CallError
from payorch.v1 import call_pb2, error_reason_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from payorch_server.model.identifiers import TRACK_ID_RULE, TrackId, parse_request_id, parse_track_id, trace_id_of
from payorch_server.model.shown_forms import MASKED, shown_track_id

_TIMEOUT_S: Final = 10.0
_WIDTH: Final = 48
_LABEL: Final = 14


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What is looked for."""

    handle: str
    """A Zuora-Track-Id or a request id."""
    namespace: str = ""
    """Of the callers; empty: all that the operator may ask about."""
    link: str = ""
    """URL of a trace in a viewer, with {trace_id} in it; empty: only the trace id is printed."""
    as_json: bool = False


def show(query: TraceQuery, *, channel: grpc.Channel) -> tuple[int, str]:
    """Return an exit status and what to print.

    Args:
        query: What is looked for. A text can be a Track-Id and a request id, so the service is asked for both.
        channel: To the diagnostics listener.
    """
    track_id, request_id = parse_track_id(query.handle), parse_request_id(query.handle)
    if track_id is None and request_id is None:
        return 2, f"{query.handle!r} is neither a Track-Id, which {TRACK_ID_RULE}, nor a request_id."
    stub = diagnostics_grpc.DiagnosticsServiceStub(channel)
    found = diagnostics_pb2.GetCallResponse()
    try:
        if track_id is not None:
            found.MergeFrom(_ask(stub, diagnostics_pb2.GetCallRequest(track_id=track_id, namespace=query.namespace)))
        if request_id is not None:
            request = diagnostics_pb2.GetCallRequest(request_id=request_id, namespace=query.namespace)
            _add(found, _ask(stub, request))
    except grpc.RpcError as error:
        return 1, _unreadable(error, track_id, query.link)
    status = 0 if found.calls or found.intents else 1
    if query.as_json:
        return status, json.dumps(json_format.MessageToDict(found), indent=2)
    return status, _text(found, query) if status == 0 else _nothing(found, query)


def _ask(
    stub: diagnostics_grpc.DiagnosticsServiceStub, request: diagnostics_pb2.GetCallRequest
) -> diagnostics_pb2.GetCallResponse:
    return stub.GetCall(request, timeout=_TIMEOUT_S)


def _add(found: diagnostics_pb2.GetCallResponse, more: diagnostics_pb2.GetCallResponse) -> None:
    """Add what is not there yet: a caller may use one text as both ids."""
    found.intents.extend(more.intents)
    found.calls.extend([call for call in more.calls if call not in found.calls])


def _unreadable(error: grpc.RpcError, track_id: TrackId | None, link: str) -> str:
    failure = CallError.from_rpc_error(error)
    text = f"The records could not be read ({failure.reason or failure.code.name}: {failure.message})."
    # The service hashes a Track-Id that looks like a secret, and alone knows its trace.
    if track_id is None or shown_track_id(track_id) == MASKED:
        return text
    return f"{text}\nThe trace of this Track-Id is {_trace(trace_id_of(track_id), link)}."


def _nothing(found: diagnostics_pb2.GetCallResponse, query: TraceQuery) -> str:
    text = (
        f"There is no record of {query.handle}. Records are kept for a limited time, and without a shared store only "
        "by the replica that served the call: ask each, or look into the log."
    )
    return f"{text}\nThe trace of this Track-Id is {_trace(found.trace_id, query.link)}." if found.trace_id else text


def _text(found: diagnostics_pb2.GetCallResponse, query: TraceQuery) -> str:
    blocks = [*_call_blocks(found.calls), *map(_intent_block, found.intents)]
    # That of a Track-Id which only was asked for because the text may be one leads nowhere.
    traces = dict.fromkeys(filter(None, (call.trace_id for call in found.calls)))
    if found.trace_id and not found.intents:
        traces = {found.trace_id: None}
    return "\n\n".join([*blocks, *(f"trace {_trace(trace_id, query.link)}" for trace_id in traces)])


def _call_blocks(calls: Sequence[diagnostics_pb2.CallRecord]) -> Iterator[str]:
    """Show each call, and of its execution, which follows, only what differs, and how it ended."""
    before: set[str] = set()
    for call in calls:
        first, *lines = _lines(call)
        yield "\n".join([first, *(line for line in lines if line not in before or line.startswith("  outcome"))])
        before = set(lines) if call.kind == diagnostics_pb2.CALL_KIND_CALL else set()


def _intent_block(report: diagnostics_pb2.IntentReport) -> str:
    """Show what the ledger has: it outlives the records of calls."""
    known, outcome = report.status, report.status.call_outcome
    state = _word(service_pb2.IntentState.Name(known.intent_state), "INTENT_STATE_")
    if report.error_reason == error_reason_pb2.ERROR_REASON_INTENT_RECORD_UNREADABLE:
        state = "the record cannot be read"
    first = f", {known.first_send_time.ToDatetime():%Y-%m-%dT%H:%M:%S}Z" if known.HasField("first_send_time") else ""
    lines = [f"intent {report.rpc} {report.request_id}{first}"]
    for label, text in (
        ("namespace", report.namespace),
        ("state", state),
        ("outcome", call_pb2.Outcome.Name(outcome.outcome).removeprefix("OUTCOME_") if outcome.outcome else ""),
        ("advice", _word(call_pb2.Advice.Name(outcome.advice), "ADVICE_") if outcome.advice else ""),
        ("route", "/".join(filter(None, (report.tenant, report.entity)))),
        ("exists", " ".join(filter(None, (known.existing.payment_method_id, known.existing.payment_id)))),
        ("track ids", " ".join(known.track_ids)),
    ):
        if text:
            lines.append(f"  {label:<{_LABEL}}{text}")
    return "\n".join(lines)


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def _trace(trace_id: str, link: str) -> str:
    return link.replace("{trace_id}", trace_id) if link else trace_id


def _lines(call: diagnostics_pb2.CallRecord) -> Iterator[str]:
    started = call.start_time.ToDatetime().isoformat(timespec="milliseconds")
    kind = diagnostics_pb2.CallKind.Name(call.kind).removeprefix("CALL_KIND_").lower()
    yield f"{kind} {call.rpc}, {started}Z, {_ms(call.duration)}"
    for label, text in (
        ("caller", call.caller),
        ("request id", call.request_id),
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
    advice = _word(call_pb2.Advice.Name(call.advice), "ADVICE_")
    code = code_pb2.Code.Name(call.code) if call.HasField("code") else ""
    reason = error_reason_pb2.ErrorReason.Name(call.error_reason).removeprefix("ERROR_REASON_")
    parts = [outcome, code, *([reason, f"advice: {advice}"] if call.error_reason else [])]
    return ", ".join(filter(None, parts))


def _intent(call: diagnostics_pb2.CallRecord) -> str:
    disposition = diagnostics_pb2.IntentDisposition.Name(call.intent)
    return _word(disposition, "INTENT_DISPOSITION_") if call.intent else ""


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
