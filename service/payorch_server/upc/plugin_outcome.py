"""Reads what a gateway answers, and holds it against the rules of the contract; pure, and never raises."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import DecodeError
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1.payment_method_pb2 import CustomFieldValue

from payorch_server.model.secret import Secret
from payorch_server.model.shown_forms import MASKED
from payorch_server.upc.gateway_outcome import (
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Result,
    Silence,
)
from payorch_server.upc.plugin_messages import DECIMAL, OPERATION_NUMBERS
from payorch_server.upc.request import FieldValue, JsonNumber, Operation, TokenData

T = TypeVar("T")
_RESULTS: Final[Mapping[int, Result]] = {
    gateway_pb2.GATEWAY_RESULT_APPROVED: Result.APPROVED,
    gateway_pb2.GATEWAY_RESULT_DECLINED: Result.DECLINED,
    gateway_pb2.GATEWAY_RESULT_FAILED: Result.FAILED,
    gateway_pb2.GATEWAY_RESULT_NOT_ATTEMPTED: Result.NOT_ATTEMPTED,
    gateway_pb2.GATEWAY_RESULT_PENDING: Result.PENDING,
}
_RESPONSES: Final[Mapping[Operation, Callable[[], Any]]] = {
    Operation.VALIDATE: gateway_pb2.ValidatePaymentMethodResponse,
    Operation.PAYMENT: gateway_pb2.ProcessPaymentResponse,
    Operation.REFUND: gateway_pb2.ProcessRefundResponse,
}
_LIMITS: Final[Mapping[str, int]] = {
    "code": 20,
    "message": 255,
    "transaction_id": 100,
    "second_transaction_id": 100,
}
_MAX_ID_OF_VALIDATION: Final = 60
_CHANGES: Final = "token_data_changes"
_MAX_CHANGES: Final = 20
_MAX_FIELD_NAME: Final = 100
_MAX_FIELD_TEXT: Final = 8000
# Control characters other than tab, line feed and carriage return.
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MAX_NAME: Final = 100
_SHORTEST_SECRET: Final = 8
# A century; a timedelta does not take all that a Duration can state.
_MAX_DURATION_S: Final = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class ReadAnswer(Generic[T]):
    """What was read of an answer."""

    value: T | NoOutcome
    broken: tuple[str, ...] = ()
    """The rules of the contract that it breaks; constant names."""


def read_response(body: bytes, operation: Operation, *, secrets: Iterable[str] = ()) -> ReadAnswer[GatewayOutcome]:
    """Read the response of an operation's RPC.

    Args:
        body: The message.
        operation: Of the request.
        secrets: The secret texts of the request, which no answer may quote.
    """
    response = _RESPONSES[operation]()
    try:
        response.ParseFromString(body)
    except DecodeError:
        return ReadAnswer(NoOutcome(Silence.RULE_BROKEN), ("response_unreadable",))
    return (
        _read(response.outcome, operation, secrets)
        if response.HasField("outcome")
        else ReadAnswer(NoOutcome(Silence.UNSPECIFIED))
    )


def read_look_up(
    body: bytes, operation: Operation, *, secrets: Iterable[str] = ()
) -> ReadAnswer[GatewayOutcome | NotHeardOf]:
    """Read the response of LookUp.

    Args:
        body: The message.
        operation: Of the calls that were looked up.
        secrets: The secret texts of their request, which no answer may quote.
    """
    response = gateway_pb2.LookUpResponse()
    try:
        response.ParseFromString(body)
    except DecodeError:
        return ReadAnswer(NoOutcome(Silence.RULE_BROKEN), ("response_unreadable",))
    if not response.HasField("outcome"):
        return ReadAnswer(NotHeardOf())
    found = _read(response.outcome, operation, secrets)
    return ReadAnswer(found.value, found.broken)


def read_description(body: bytes) -> GatewayDescription | NotSent:
    """Read the response of DescribeGateway; operations that are not known are left out."""
    response = gateway_pb2.DescribeGatewayResponse()
    try:
        response.ParseFromString(body)
    except DecodeError:
        return NotSent("the gateway's description cannot be read")
    if not response.name:
        return NotSent("the gateway does not say its name")
    if len(response.name) > _MAX_NAME or _UNFIT.search(response.name):
        return NotSent("the gateway's name breaks the rules of the contract")
    numbers = set(response.operations)
    return GatewayDescription(
        name=response.name,
        version=response.version[:_MAX_NAME],
        operations=frozenset(operation for operation, number in OPERATION_NUMBERS.items() if number in numbers),
        currencies=frozenset(response.currencies),
        looks_up=response.looks_up,
        idempotent_for=timedelta(seconds=min(max(response.idempotent_for.seconds, 0), _MAX_DURATION_S)),
    )


def _read(
    outcome: gateway_pb2.GatewayOutcome, operation: Operation, secrets: Iterable[str]
) -> ReadAnswer[GatewayOutcome]:
    # 1. Whatever else it says, a result that is not known says nothing.
    result = _RESULTS.get(outcome.result)
    if result is None:
        return ReadAnswer(NoOutcome(Silence.UNSPECIFIED))
    # 2. What quotes the request: masked in the message only, because ids are needed as they are.
    said = {member: getattr(outcome, member) for member in _LIMITS}
    texts = tuple(said.values())
    quoted = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET and any(secret in text for text in texts)}
    broken = [f"{member}_quotes_request" for member, text in said.items() if any(map(text.__contains__, quoted))]
    for secret in sorted(quoted, key=len, reverse=True):
        said["message"] = said["message"].replace(secret, MASKED)
    # 3. Texts and changes as Zuora can take them, and what had to be changed for that.
    fit = {member: _fit(member, text, operation) for member, text in said.items()}
    changes = {} if operation is Operation.REFUND else _changes(outcome.token_data_changes)
    cut = (*(member for member in _LIMITS if fit[member] != said[member]), *((_CHANGES,) if changes is None else ()))
    broken += [f"{member}_invalid" for member in cut]
    # 4. Only an approval stands in spite of that: the money has moved.
    if cut and result is not Result.APPROVED:
        return ReadAnswer(NoOutcome(Silence.RULE_BROKEN), tuple(broken))
    read = GatewayOutcome(result=result, **fit, token_data_changes=Secret(changes or {}), cut=cut)
    return ReadAnswer(read, tuple(broken))


def _fit(member: str, text: str, operation: Operation) -> str:
    is_short_id = operation is Operation.VALIDATE and member.endswith("transaction_id")
    return _UNFIT.sub("", text)[: _MAX_ID_OF_VALIDATION if is_short_id else _LIMITS[member]]


def _changes(changes: Mapping[str, CustomFieldValue]) -> TokenData | None:
    """Return the changes, or None if any breaks a rule: half of them would be a method that no one has seen."""
    if len(changes) > _MAX_CHANGES:
        return None
    try:
        return {_field_name(name): _field(value) for name, value in changes.items()}
    except ValueError:
        return None


def _field_name(name: str) -> str:
    if not 0 < len(name) <= _MAX_FIELD_NAME or _UNFIT.search(name):
        raise ValueError("This is no name of a field.")
    return name


def _field(value: CustomFieldValue) -> FieldValue:
    match value.WhichOneof("value"):
        case "text" if len(value.text) <= _MAX_FIELD_TEXT and not _UNFIT.search(value.text):
            return value.text
        case "flag":
            return value.flag
        case "decimal" if DECIMAL.fullmatch(value.decimal):
            # Without leading zeros, which JSON does not have.
            return JsonNumber(format(Decimal(value.decimal), "f"))
        case "null_value":
            return None
        case _:
            raise ValueError("This is no value of a field.")
