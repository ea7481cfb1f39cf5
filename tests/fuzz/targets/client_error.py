"""What the Python client makes of errors and messages of others."""

import contextlib
import json
import pickle
from collections.abc import Iterator
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from harness.requests import decryption_request, session_request
from payorch import redacted
from payorch.call_error import CallError
from payorch.errors import exception_of
from payorch.target import checked_target
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.values import apple_pay_token, decimal_of, money

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, note, require

_DETAILS: Final = "grpc-status-details-bin"
_REQUESTS: Final = (
    service_pb2.CreateSessionRequest,
    service_pb2.DecryptApplePayRequest,
    service_pb2.CreatePaymentMethodRequest,
)


class _Error(grpc.RpcError):  # type: ignore[misc] # grpc has no types
    """What a stub raises."""

    def __init__(self, packed: bytes) -> None:
        super().__init__()
        self._packed = packed

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return self._packed.decode("latin-1")

    def trailing_metadata(self) -> Any:
        return ((_DETAILS, self._packed),)


def run(data: bytes) -> None:
    """Read bytes as details of an error, as a token, as a message to be shown, as an amount and as a target."""
    _read_error(data)
    _read_token(data)
    for kind in _REQUESTS:
        _show(kind, data)
    _read_values(data.decode("latin-1"))


def _read_error(data: bytes) -> None:
    error = CallError.from_rpc_error(_Error(data))
    raised = exception_of(error, "request-1")
    require(error.outcome != call_pb2.OUTCOME_SUCCEEDED, "an error is no success")
    require(str(raised).isprintable(), "the text of an error is one line")
    require(error.call_outcome is not None or error.outcome == call_pb2.OUTCOME_UNKNOWN, "what is not known is unknown")
    again = pickle.loads(pickle.dumps(raised))  # noqa: S301 - its own
    require(str(again) == str(raised), "an error can be pickled")


def _read_token(data: bytes) -> None:
    try:
        token = apple_pay_token(data)
    except ValueError as error:
        note(error)
        return
    require(token == data, "a token is passed on as it is")


def _show(kind: Any, data: bytes) -> None:
    try:
        message = kind.FromString(data)
    except DecodeError:
        return
    shown = redacted(message)
    require(CANARY not in shown or CANARY.encode() in data, "only what is there is shown")
    marked = _canary_is_sensitive(message)
    require(not marked or CANARY not in shown, "a sensitive field is not shown")


def _canary_is_sensitive(message: Any) -> bool:
    """Return whether the canary stands in the fields that seeds put it into, and in no other."""
    text = str(message.SerializeToString())
    places = ("token_json", "card_holder", "card")
    inside = sum(
        str(
            getattr(message, name)
            if isinstance(getattr(message, name), bytes)
            else getattr(message, name).SerializeToString()
        ).count(CANARY)
        for name in places
        if name in message.DESCRIPTOR.fields_by_name
    )
    return 0 < text.count(CANARY) == inside


def _read_values(text: str) -> None:
    try:
        amount = money(text, "USD")
    except ValueError:
        pass
    else:
        require(decimal_of(amount) is not None, "an amount is exact")
    with contextlib.suppress(ValueError):
        require(checked_target(text, tls=False, plaintext=True, with_token=False), "a target is a text")


def _seeds() -> Iterator[bytes]:
    status = status_pb2.Status(code=14, message="m")
    outcome = call_pb2.CallOutcome(outcome=call_pb2.OUTCOME_NOT_SENT, track_id="t", zuora_codes=["53000060"])
    outcome.resend_before_time.seconds = 2**62
    info = error_details_pb2.ErrorInfo(reason="UPSTREAM", domain="payorch", metadata={"violationsOmitted": "²"})
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="a", reason="b", description="c\nd")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.nanos = -5
    for detail in (outcome, info, bad, retry):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
        yield status.SerializeToString()
    session = session_request("request-0000-0001")
    session.gateway_options["x"] = "y"
    decryption = decryption_request("request-0000-0001", token_json=json.dumps({"data": CANARY}).encode())
    decryption.card_holder.name = CANARY
    yield session.SerializeToString()
    yield decryption.SerializeToString()
    yield b"1234567890.123456789"
    yield b"ipv6:[::1]:50051"
    yield from hard_json()


TARGET = Target(
    "client_error",
    run,
    _seeds,
    covers=(),
    words=(
        "payorch",
        "type.googleapis.com/payorch.v1.CallOutcome",
        "type.googleapis.com/google.rpc.ErrorInfo",
        "1e999",
        "NaN",
    ),
    has_secrets=False,  # the texts of the service may be shown
)
