"""Messages of callers: decoded, checked, turned into commands, fingerprinted and shown."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from canary.canaries import planted_requests
from google.protobuf.message import DecodeError
from harness.filled_requests import method_arms, method_request
from harness.keyring import KEYRING
from harness.requests import session_request
from payorch import redacted
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.errors import CallError, InvalidRequestError
from payorch_server.model.outcome import Outcome
from payorch_server.rpc.decode import decode_create_session, decode_decrypt_apple_pay
from payorch_server.rpc.decode_payment_method import decode_create_payment_method
from payorch_server.rpc.diagnostics import EXPLAIN_CHECKS, decode_hypothetical_call
from payorch_server.rpc.operator_search import GET_CALL_CHECKS
from payorch_server.rpc.payment_orchestration import FURTHER_CHECKS
from payorch_server.rpc.request_fingerprint import COMPACT
from payorch_server.rpc.status import status_of
from payorch_server.rpc.validation import CheckedRequest, Validator

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, heard, note, require

_CHECKS: Final = {**FURTHER_CHECKS, **EXPLAIN_CHECKS, **GET_CALL_CHECKS}
_VALIDATOR: Final = Validator(_CHECKS)
_DECODERS: Final[Mapping[Any, Callable[[CheckedRequest[Any]], Any] | None]] = {
    service_pb2.CreateSessionRequest: lambda checked: decode_create_session(checked, KEYRING),
    service_pb2.DecryptApplePayRequest: lambda checked: decode_decrypt_apple_pay(checked, KEYRING),
    service_pb2.CreatePaymentMethodRequest: lambda checked: decode_create_payment_method(checked, KEYRING),
    service_pb2.GetIntentRequest: None,
    diagnostics_pb2.ExplainRouteRequest: lambda checked: decode_hypothetical_call(checked.message, caller="jwt:x"),
    diagnostics_pb2.GetCallRequest: None,
    diagnostics_pb2.GetQuotaRequest: None,
}
_KINDS: Final = tuple(_DECODERS)


def run(data: bytes) -> None:
    """Receive a message; the first byte chooses its type."""
    kind = _KINDS[data[0] % len(_KINDS) if data else 0]
    try:
        message = kind.FromString(data[1:])
    except DecodeError:
        return
    redacted(message)
    decode = _DECODERS[kind]
    try:
        checked = _VALIDATOR.check(message)
        command = decode(checked) if decode else None
    except CallError as error:
        require(isinstance(error, InvalidRequestError), "a bad request is refused as such")
        require(error.verdict.outcome is Outcome.NOT_SENT, "and nothing is sent")
        note(error, *error.failure.violations)
        status_of(error, track_id="t-1")
        return
    finally:
        require(not heard("checks_disagree"), "compiled checks agree with the rules in the protos")
    if hasattr(command, "intent"):
        _check_fingerprint(command.intent.fingerprints, message, decode)


def _check_fingerprint(fingerprints: Any, message: Any, decode: Any) -> None:
    """Both forms of a fingerprint are those of the same message in any encoding."""
    again = type(message).FromString(message.SerializeToString(deterministic=True))
    others = decode(_VALIDATOR.check(again)).intent.fingerprints
    for key_id in (KEYRING.key_ids[0], f"{COMPACT}{KEYRING.key_ids[0]}"):
        require(others.differences(fingerprints.under(key_id)) == (), "equal requests have equal fingerprints")


def _seeds() -> Iterator[bytes]:
    numbers = {kind.DESCRIPTOR.full_name: number for number, kind in enumerate(_KINDS)}
    for planted in planted_requests():
        request = planted.request
        yield bytes([numbers[request.DESCRIPTOR.full_name]]) + request.SerializeToString(deterministic=True)
    for arm in method_arms():
        yield b"\2" + method_request(arm)[0].SerializeToString(deterministic=True)
    session = session_request("request-0000-0001")
    session.gateway_options[CANARY] = CANARY
    yield b"\0" + session.SerializeToString(deterministic=True) + b"\xf8\xf0\x04\x01"
    for text in (*hard_json(), json.dumps({"data": CANARY}).encode()):
        request, _ = method_request("chase_google_pay")
        request.chase_google_pay.token_json = text
        yield b"\2" + request.SerializeToString(deterministic=True)
    explained = diagnostics_pb2.ExplainRouteRequest(operation=service_pb2.OPERATION_CREATE_SESSION, currency_code="EUR")
    yield b"\4" + explained.SerializeToString()
    yield b"\5" + diagnostics_pb2.GetCallRequest(track_id="t").SerializeToString()


TARGET = Target(
    "service_request",
    run,
    _seeds,
    covers=(
        "rpc.decode",
        "rpc.decode_payment_method",
        "rpc.request_walk",
        "rpc.request_fingerprint",
        "rpc.value_rules",
    ),
    words=("USD", "request-0000-0001", "__c", "EC_v1", '{"a":1}', "0.10", "1e9", "DE89370400440532013000"),
    max_bytes=8192,
    has_secrets=False,  # keys of maps go back to their caller; the seeds carry it in values
)
