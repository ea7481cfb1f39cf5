"""The command `intents --unsettled`: lists the intents whose outcome is not known."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import grpc
from google.protobuf import json_format  # noqa: TID251 - prints records, which hold no secret
from payorch import CallError
from payorch.v1 import call_pb2, error_reason_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from payorch_server.runtime.clock import SystemClock

_TIMEOUT_S: Final = 20.0
_HEAD: Final = ("AGE", "TENANT", "RPC", "REASON", "ADVICE", "RESEND BEFORE", "REQUEST ID", "TRACK ID")


@dataclass(frozen=True, slots=True)
class IntentsQuery:
    """What is asked for."""

    namespace: str
    """Empty: all that the operator may ask about."""
    tenant: str
    """Empty: all."""
    most: int
    as_json: bool = False


def show(query: IntentsQuery, *, channel: grpc.Channel) -> tuple[int, str]:
    """Return an exit status, 0 even if there are some, and what to print.

    Args:
        query: Which.
        channel: To the diagnostics listener.
    """
    request = diagnostics_pb2.ListUnsettledIntentsRequest(
        namespace=query.namespace, tenant=query.tenant, max_results=query.most
    )
    try:
        stub = diagnostics_grpc.DiagnosticsServiceStub(channel)
        response = stub.ListUnsettledIntents(request, timeout=_TIMEOUT_S)
    except grpc.RpcError as error:
        failure = CallError.from_rpc_error(error)
        return 1, f"The intents could not be read ({failure.reason or failure.code.name}: {failure.message})."
    if query.as_json:
        return 0, json.dumps(json_format.MessageToDict(response), indent=2)
    return 0, "\n".join(_lines(response, SystemClock().now()))


def _lines(response: diagnostics_pb2.ListUnsettledIntentsResponse, now: datetime) -> Iterator[str]:
    if not response.intents:
        yield "No intent is known to be in doubt."
    else:
        rows = [_HEAD, *(_row(intent, now) for intent in response.intents)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        yield ""
        yield from _by_tenant(response.intents, now)
    if response.incomplete:
        yield "There are more, or some could not be noted: ask for one --tenant or more --most, and read the log."


def _row(intent: diagnostics_pb2.IntentReport, now: datetime) -> Sequence[str]:
    known = intent.status
    outcome = known.call_outcome
    is_running = known.intent_state == service_pb2.INTENT_STATE_IN_FLIGHT
    advice = "(running)" if is_running else _word(call_pb2.Advice.Name(outcome.advice), "ADVICE_")
    if known.intent_state == service_pb2.INTENT_STATE_NOT_FOUND:
        advice = "look up (no record)"
    until = outcome.resend_before_time
    resend = f"{until.ToDatetime():%m-%d %H:%M}Z" if outcome.HasField("resend_before_time") else "-"
    return (
        _age(intent, now),
        "/".join(filter(None, (intent.tenant, intent.entity))),
        intent.rpc,
        error_reason_pb2.ErrorReason.Name(intent.error_reason).removeprefix("ERROR_REASON_"),
        advice,
        resend,
        intent.request_id,
        intent.track_id,
    )


def _by_tenant(intents: Sequence[diagnostics_pb2.IntentReport], now: datetime) -> Iterator[str]:
    """Sum up: how many of each tenant, and the age of the oldest; they come sorted by age."""
    first: dict[str, diagnostics_pb2.IntentReport] = {}
    counts: dict[str, int] = {}
    for intent in intents:
        first.setdefault(intent.tenant, intent)
        counts[intent.tenant] = counts.get(intent.tenant, 0) + 1
    for tenant, count in sorted(counts.items()):
        yield f"{tenant or '(not routed)'}: {count} in doubt, the oldest for {_age(first[tenant], now)}"


def _age(intent: diagnostics_pb2.IntentReport, now: datetime) -> str:
    since = intent.unsettled_since_time.ToDatetime(UTC)
    minutes = int(max(now - since, timedelta()).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if days else f"{hours}h {minutes}m" if hours else f"{minutes}m"


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")
