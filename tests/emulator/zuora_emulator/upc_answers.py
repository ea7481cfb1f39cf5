"""What Zuora concludes from a hub's answer.

    200, 202   `responseCode` decides: Approved -> Processed; Declined, System, Failed -> Error
    400, 401   Error
    otherwise  Processing: any other status, no answer in time, a `responseCode` that is none of the four

Sure, because documented: the table, the names and lengths of the members, that `upcTokenData` comes for Validate and
Payment. Documented both ways: `upcTokenData` is an object in the table and a JSON text in the examples; both are read.
Not sure: what Zuora does with members that are too long; they are reported as problems, and cut.

Source: Zuora documentation, "Response" and "Payment hub response field", read 2026-11.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import msgspec

from zuora_emulator.answers import NOT_JSON
from zuora_emulator.declines import DECLINES

HubOperation = Literal["Validate", "Payment", "Refund"]
Status = Literal["Processing", "Processed", "Error"]

_CONCLUSIONS: Mapping[str, Status] = {
    "Approved": "Processed",
    "Declined": "Error",
    "System": "Error",
    "Failed": "Error",
}
_LONGEST = {"gatewayResponseCode": 20, "gatewayResponseMessage": 255}
_LONGEST_ID_OF_VALIDATION = 60
_LONGEST_ID = 100
_IDS = ("gatewayTransactionId", "gatewaySecondTransactionId")
_MEMBERS = {"responseCode", "upcTokenData", *_LONGEST, *_IDS}
_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubReply:
    """What came from a hub, and what it means."""

    conclusion: Status
    http_status: int | None = None
    """None: no answer came."""
    response_code: str = ""
    code: str = ""
    message: str = ""
    transaction_id: str = ""
    second_transaction_id: str = ""
    token_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """New values of the method's fields."""
    problems: tuple[str, ...] = ()
    """Where the answer breaks Zuora's rules; a correct hub gives none."""


def decided(decline: str) -> HubReply:
    """Return what a gateway without a hub concludes: a decline of that kind, or Processed if there is none."""
    return HubReply(
        conclusion="Error" if decline else "Processed", code=decline, message=DECLINES.get(decline, "Approved")
    )


def read_reply(operation: HubOperation, status: int, body: bytes) -> HubReply:
    """Read an answer."""
    members = _members_of(body)
    if status in {400, 401}:
        texts = {name: _text(members, name) for name in (*_LONGEST, *_IDS)}
        return _reply("Error", status, texts, _problems_of_refusal(members))
    if status not in {200, 202}:
        return HubReply(conclusion="Processing", http_status=status)
    response_code = _text(members, "responseCode")
    conclusion = _CONCLUSIONS.get(response_code, "Processing")
    problems = [*_problems(operation, members)]
    if response_code not in _CONCLUSIONS:
        problems.append("responseCode is none of Approved, Declined, System and Failed")
    token_data = _token_data(members.get("upcTokenData"), problems) if operation != "Refund" else {}
    texts = {name: _text(members, name)[: _longest(operation, name)] for name in (*_LONGEST, *_IDS)}
    return _reply(conclusion, status, texts, problems, response_code=response_code, token_data=token_data)


def _reply(
    conclusion: Status,
    status: int,
    texts: Mapping[str, str],
    problems: list[str],
    *,
    response_code: str = "",
    token_data: Mapping[str, Any] | None = None,
) -> HubReply:
    return HubReply(
        conclusion=conclusion,
        http_status=status,
        response_code=response_code,
        code=texts["gatewayResponseCode"],
        message=texts["gatewayResponseMessage"],
        transaction_id=texts["gatewayTransactionId"],
        second_transaction_id=texts["gatewaySecondTransactionId"],
        token_data=token_data or {},
        problems=tuple(problems),
    )


def _members_of(body: bytes) -> dict[str, Any]:
    try:
        decoded = _decoder.decode(body)
    except NOT_JSON:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _longest(operation: HubOperation, name: str) -> int:
    if name in _LONGEST:
        return _LONGEST[name]
    return _LONGEST_ID_OF_VALIDATION if operation == "Validate" else _LONGEST_ID


def _problems(operation: HubOperation, members: Mapping[str, Any]) -> Iterator[str]:
    for name in (*_LONGEST, *_IDS):
        value = members.get(name)
        longest = _longest(operation, name)
        if value is not None and not isinstance(value, str):
            yield f"{name} is no text"
        elif value and len(value) > longest:
            yield f"{name} has {len(value)} characters, and {longest} are allowed"
    if members.keys() - _MEMBERS:
        yield "a member is none that Zuora knows"
    if operation == "Refund" and "upcTokenData" in members:
        yield "upcTokenData is for Validate and Payment only"


def _problems_of_refusal(members: Mapping[str, Any]) -> list[str]:
    return ["responseCode belongs to answers with status 200"] if "responseCode" in members else []


def _token_data(value: Any, problems: list[str]) -> Mapping[str, Any]:
    if value is None:
        return {}
    decoded = _members_of(value.encode()) if isinstance(value, str) else value
    if not isinstance(decoded, dict) or (isinstance(value, str) and not decoded and value.strip() != "{}"):
        problems.append("upcTokenData is no object, and no text of one")
        return {}
    return decoded
