"""Makes calls with grpc.aio and prints what their errors carry, read with grpcio-status."""

import asyncio
import base64
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from payorch.v1 import call_pb2

_TIMEOUT_S = 30.0


def main() -> None:
    """Print an answer for each call of the plan, in its order."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    json.dump(asyncio.run(_answers(plan)), sys.stdout)


async def _answers(plan: dict[str, Any]) -> list[dict[str, Any]]:
    async with grpc.aio.insecure_channel(plan["target"]) as channel:
        return [await _answer(channel, call) for call in plan["calls"]]


async def _answer(channel: grpc.aio.Channel, call: dict[str, str]) -> dict[str, Any]:
    method = channel.unary_unary(call["method"], request_serializer=bytes, response_deserializer=bytes)
    metadata = (("zuora-track-id", call["track_id"]),)
    try:
        await method(base64.b64decode(call["request"]), metadata=metadata, timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return _told(error)
    return {"code": 0}


def _told(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    status = _status(error)
    info = _detail(status, error_details_pb2.ErrorInfo)
    outcome = _detail(status, call_pb2.CallOutcome)
    bad = _detail(status, error_details_pb2.BadRequest)
    return {
        "code": error.code().value[0],
        "message": error.details(),
        "reason": info.reason,
        "metadata": dict(info.metadata),
        "outcome": call_pb2.Outcome.Name(outcome.outcome),
        "advice": call_pb2.Advice.Name(outcome.advice),
        "track_id": outcome.track_id,
        "zuora_codes": list(outcome.zuora_codes),
        "zuora_process_id": outcome.zuora_process_id,
        "zuora_request_id": outcome.zuora_request_id,
        "attempts": [[attempt.ordinal, attempt.http_status, attempt.zuora_request_id] for attempt in outcome.attempts],
        "existing": [outcome.existing.payment_method_id, outcome.existing.payment_id],
        "violations": [[broken.field, broken.reason, broken.description] for broken in bad.field_violations],
        "trailers": _trailers(error),
    }


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    """Return the status in the details; None if gRPC put another error in the place of the service's."""
    try:
        return rpc_status.from_call(error)  # type: ignore[arg-type] # it reads nothing that an asyncio error lacks
    except ValueError:
        return None


def _detail(status: status_pb2.Status | None, kind: Any) -> Any:
    """Return the status's detail of a kind; an empty one if it has none."""
    message = kind()
    for detail in status.details if status else ():
        if detail.Is(kind.DESCRIPTOR):
            detail.Unpack(message)
    return message


def _trailers(error: grpc.aio.AioRpcError) -> dict[str, list[str]]:
    found = defaultdict(list)
    for key, value in error.trailing_metadata():
        found[key].append(base64.b64encode(value).decode() if isinstance(value, bytes) else value)
    return found


if __name__ == "__main__":
    main()
