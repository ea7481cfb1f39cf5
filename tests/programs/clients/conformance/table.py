"""The table of cases: read, and turned into the calls of a runner."""

import base64
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from harness.requests import minted_token
from payorch import rpcs
from payorch.v1 import payment_orchestration_service_pb2 as pb

from programs.clients.invalid_requests import invalidate

_FILE: Final = Path(__file__).with_name("cases.yaml")
REQUESTS: Final[Mapping[str, Any]] = {
    rpc.name: rpc.request
    for rpc in (
        rpcs.CREATE_SESSION,
        rpcs.DECRYPT_APPLE_PAY,
        rpcs.CREATE_PAYMENT_METHOD,
        rpcs.GET_INTENT,
        rpcs.EXPLAIN_ROUTE,
        rpcs.GET_CALL,
        rpcs.GET_QUOTA,
    )
}
_ANSWERS: Final[Mapping[str, Any]] = {
    rpc.name: rpc.answer
    for rpc in (
        rpcs.CREATE_SESSION,
        rpcs.DECRYPT_APPLE_PAY,
        rpcs.CREATE_PAYMENT_METHOD,
        rpcs.GET_INTENT,
        rpcs.EXPLAIN_ROUTE,
        rpcs.GET_CALL,
        rpcs.GET_QUOTA,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table; cases.yaml says what its members mean."""

    name: str
    world: str = "service"
    faults: Sequence[str] = ()
    plans: Sequence[Mapping[str, Any]] = ()
    drain: bool = False
    connect: Mapping[str, Any] = field(default_factory=dict)
    calls: Sequence[Mapping[str, Any]] = ()
    expect: Sequence[Mapping[str, Any]] = ()
    connect_error: str = ""
    token_calls: Sequence[bool] | None = None
    executed: Mapping[str, int] | int | None = None
    sent: Mapping[str, int] | None = None
    received: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call as a runner gets it, and the message that it has to send."""

    rpc: str
    request: Any
    wire: Mapping[str, Any]

    def answer(self, packed: str) -> Any:
        """Return the answer that a runner saw."""
        return _ANSWERS[self.rpc].FromString(base64.b64decode(packed))


def cases() -> list[Case]:
    """Return them all, in the order of the file."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return [Case(**row) for row in content["cases"]]


def planned(case: Case) -> list[PlannedCall]:
    """Return the calls of a case, with fresh request ids and one fresh Apple Pay token."""
    templates = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["requests"]
    return list(_planned(case, templates))


def _planned(case: Case, templates: Mapping[str, Any]) -> Iterator[PlannedCall]:
    first, token = str(uuid.uuid4()), minted_token()
    request: Any = None
    for index, call in enumerate(case.calls):
        if not call.get("reuse"):
            request = _request(call, templates, token)
            named = call.get("id", "none" if call["rpc"] == "GetCall" else "own")
            ids = {"own": first if index == 0 else str(uuid.uuid4()), "same": first, "none": ""}
            if "request_id" in request.DESCRIPTOR.fields_by_name:
                request.request_id = ids.get(named, named)
        wire = {
            "rpc": call["rpc"],
            "request": base64.b64encode(request.SerializeToString(deterministic=True)).decode(),
            "deadline_s": call.get("deadline_s"),
            "track_id": call.get("track_id", f"case-{uuid.uuid4()}"),
            "cancel_after_s": call.get("cancel_after_s"),
            "reuse": bool(call.get("reuse")),
        }
        yield PlannedCall(call["rpc"], request, wire)


def _request(call: Mapping[str, Any], templates: Mapping[str, Any], token: bytes) -> Any:
    kind, members = REQUESTS[call["rpc"]], call["request"]
    if members == "$every_field_wrong":
        request = pb.CreateSessionRequest()
        invalidate(request)
        return request
    named = templates[members] if isinstance(members, str) else members
    return kind(**_with_token({**named, **call.get("over", {})}, token))


def _with_token(members: Mapping[str, Any], token: bytes) -> dict[str, Any]:
    """Return members with an Apple Pay token in the places for it."""
    return {
        name: _with_token(value, token)
        if isinstance(value, Mapping)
        else token
        if value == "$apple_pay_token"
        else value
        for name, value in members.items()
    }
