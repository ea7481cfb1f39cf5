"""What callers get wrong, one row each: the code, the reason, the field that is named, and nothing sent."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.requests import decryption_request, minted_token, payment_method_request, session_request, usd
from harness.stack import LocalStack
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from zuora_emulator import seed

_SERVICE = "/payorch.v1.PaymentOrchestrationService"
_SESSION = f"{_SERVICE}/CreateSession"
_DECRYPT = f"{_SERVICE}/DecryptApplePay"
_CREATE = f"{_SERVICE}/CreatePaymentMethod"
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_TOO_LONG_ID = "x" * 129

# What the project promises to test; a name without a row fails.
LISTED = {
    "wrong currency", "lower-case currency", "zero amount", "negative amount", "more nanos than the currency has",
    "nanos against the sign", "missing conditional field", "unset oneof", "unset charge", "unset stored credential",
    "unset account", "unset method", "unknown field", "unknown nested field", "forbidden character in Track-Id",
    "comma in Track-Id", "65 characters of Track-Id", "empty Track-Id", "Track-Id twice", "missing request id",
    "15-character request id", "129-character request id", "request id with a space", "token missing",
    "token as JSON string", "token as array", "token not JSON", "token not UTF-8", "token too large", "whole payment",
    "token with a member twice", "wrapper with another id", "unknown tenant hint", "unknown entity hint",
    "unknown org hint", "unknown gateway hint", "contradicted hint", "no rule matches", "300 KB message",
    "malformed Protobuf", "unknown RPC", "GetIntent without operation",
    "v2 field on a v1 method", "unsupported type", "raw card",
    "custom field name on v1", "reserved custom field", "bad decimal", "Google token not JSON",
    "payment without gateway",
    *(f"token without {member}" for member in ("version", "data", "signature", "header")),
    *(f"token with broken {member}" for member in ("version", "data", "signature")),
    *(f"token header without {member}" for member in ("ephemeralPublicKey", "publicKeyHash", "transactionId")),
    *(f"token header with broken {member}" for member in (
        "ephemeralPublicKey", "publicKeyHash", "transactionId", "applicationData")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One row."""

    name: str
    request: Callable[[], Any]
    """A message, or bytes to be sent as they are."""
    reason: str
    field: str = ""
    """Path that must be among the violations; empty: no violations."""
    method: str = _SESSION
    code: grpc.StatusCode = _INVALID
    metadata: tuple[tuple[str, str], ...] = ()
    advice: str = "FIX_REQUEST"


def _session(change: Callable[[service_pb2.CreateSessionRequest], Any]) -> Callable[[], Any]:
    def build() -> Any:
        request = session_request()
        change(request)
        return request

    return build


def _decryption(change: Callable[[service_pb2.DecryptApplePayRequest], Any]) -> Callable[[], Any]:
    def build() -> Any:
        request = decryption_request()
        change(request)
        return request

    return build


def _method(change: Callable[[service_pb2.CreatePaymentMethodRequest], Any]) -> Callable[[], Any]:
    def build() -> Any:
        request = payment_method_request()
        change(request)
        return request

    return build


def _amount(**members: Any) -> Callable[[], Any]:
    def change(request: service_pb2.CreateSessionRequest) -> None:
        for name, value in members.items():
            setattr(request.one_time_payment.amount, name, value)

    return _session(change)


def _token(change: Callable[[dict[str, Any]], Any]) -> Callable[[], Any]:
    def build() -> Any:
        token = json.loads(minted_token(wrapped=False))
        change(token)
        return decryption_request(token_json=json.dumps(token).encode())

    return build


def _raw_token(token_json: bytes) -> Callable[[], Any]:
    return lambda: decryption_request(token_json=token_json)


def _hint(**members: str) -> Callable[[], Any]:
    def change(request: service_pb2.CreateSessionRequest) -> None:
        for name, value in members.items():
            setattr(request.route, name, value)

    return _session(change)


def _with_bytes(build: Callable[[], Any], more: bytes) -> Callable[[], bytes]:
    return lambda: build().SerializeToString() + more


def _nested_unknown() -> bytes:
    """Put field 100 into the amount, two messages down: each length is written by hand."""
    amount = usd(1).SerializeToString() + b"\xa0\x06\x01"
    account = b"\x12" + bytes([len(seed.ACCOUNT_US.id)]) + seed.ACCOUNT_US.id.encode()
    payment = b"\x0a" + bytes([len(amount)]) + amount + account
    identity = service_pb2.CreateSessionRequest(request_id="x" * 20).SerializeToString()
    return identity + b"\x2a" + bytes([len(payment)]) + payment


def _duplicate_member() -> bytes:
    token = minted_token(wrapped=False).decode()
    return token.replace('{"version"', '{"version": "EC_v1", "version"', 1).encode()


def _other_wrapper_id() -> bytes:
    wrapper = json.loads(minted_token())
    wrapper["transactionIdentifier"] = "0" * 64
    return json.dumps(wrapper).encode()


def _v1(request: service_pb2.CreatePaymentMethodRequest) -> None:
    request.custom.type = "AmazonPay__c_12368"
    request.custom.fields["amazonToken"].text = "secret"


def _v1_and(change: Callable[[service_pb2.CreatePaymentMethodRequest], Any]) -> Callable[[], Any]:
    def both(request: service_pb2.CreatePaymentMethodRequest) -> None:
        _v1(request)
        change(request)

    return _method(both)


def _card(request: service_pb2.CreatePaymentMethodRequest) -> None:
    request.card.number, request.card.brand = "4111111111111111", "visa"
    request.card.expiry_month, request.card.expiry_year = 12, 2039


def _set(container: Any, key: str, value: Any) -> None:
    container[key] = value


_BAD = "REQUEST_INVALID"
_TRACK = "metadata.zuora-track-id"
_KEY = "zuora-track-id"
_HEADER_BREAKAGE = {
    "ephemeralPublicKey": base64.b64encode(b"\x30" * 91).decode(),
    "publicKeyHash": "no base64!",
    "transactionId": "xyz",
    "applicationData": "00",
}
_BREAKAGE = {"version": "EC_v9", "data": "no base64!", "signature": "AAAA"}

CASES = [
    Case("wrong currency", _amount(currency_code="ZZZ"), _BAD, "one_time_payment.amount.currency_code"),
    Case("lower-case currency", _amount(currency_code="usd"), _BAD, "one_time_payment.amount.currency_code"),
    Case("zero amount", _amount(units=0, nanos=0), _BAD, "one_time_payment.amount"),
    Case("negative amount", _amount(units=-5, nanos=0), _BAD, "one_time_payment.amount"),
    Case("more nanos than the currency has", _amount(nanos=1), _BAD, "one_time_payment.amount.nanos"),
    Case("nanos against the sign", _amount(units=1, nanos=-10_000_000), _BAD, "one_time_payment.amount.nanos"),
    Case("missing conditional field", _session(lambda r: r.one_time_payment.ClearField("account_id")), _BAD,
         "one_time_payment.account_id"),
    Case("unset oneof", _session(lambda r: r.ClearField("one_time_payment")), _BAD, "flow"),
    Case("unset charge", _decryption(lambda r: r.ClearField("pay_invoice")), _BAD, "charge", _DECRYPT),
    Case("unset stored credential", _decryption(lambda r: r.ClearField("zuora_default")), _BAD, "stored_credential",
         _DECRYPT),
    Case("unset account", _method(lambda r: r.ClearField("account_by_number")), _BAD, "account", _CREATE),
    Case("unset method", _method(lambda r: r.ClearField("sepa_debit")), _BAD, "method", _CREATE),
    Case("unknown field", _with_bytes(session_request, b"\xa0\x06\x01"), _BAD, "100"),
    Case("unknown nested field", _nested_unknown, _BAD, "one_time_payment.amount.100"),
    Case("forbidden character in Track-Id", session_request, "TRACK_ID_INVALID", _TRACK, metadata=((_KEY, "a:b"),)),
    Case("comma in Track-Id", session_request, "TRACK_ID_INVALID", _TRACK, metadata=((_KEY, "a,b"),)),
    Case("65 characters of Track-Id", session_request, "TRACK_ID_INVALID", _TRACK, metadata=((_KEY, "a" * 65),)),
    Case("empty Track-Id", session_request, "TRACK_ID_INVALID", _TRACK, metadata=((_KEY, ""),)),
    Case("Track-Id twice", session_request, "TRACK_ID_INVALID", _TRACK, metadata=((_KEY, "one"), (_KEY, "two"))),
    Case("missing request id", _session(lambda r: r.ClearField("request_id")), _BAD, "request_id"),
    Case("15-character request id", lambda: session_request("x" * 15), _BAD, "request_id"),
    Case("129-character request id", lambda: session_request(_TOO_LONG_ID), _BAD, "request_id"),
    Case("request id with a space", lambda: session_request("x" * 20 + " y"), _BAD, "request_id"),
    Case("token missing", _decryption(lambda r: r.ClearField("token_json")), _BAD, "token_json", _DECRYPT),
    Case("token as JSON string", lambda: decryption_request(token_json=json.dumps(minted_token().decode()).encode()),
         _BAD, "token_json", _DECRYPT),
    Case("token as array", _raw_token(b"[]"), _BAD, "token_json", _DECRYPT),
    Case("token not JSON", _raw_token(b"{"), _BAD, "token_json", _DECRYPT),
    Case("token not UTF-8", _raw_token(b'{"a": "\xff"}'), _BAD, "token_json", _DECRYPT),
    Case("token too large", _raw_token(b" " * 16_385), _BAD, "token_json", _DECRYPT),
    Case("whole payment", lambda: decryption_request(token_json=b'{"token": ' + minted_token() + b"}"), _BAD,
         "token_json", _DECRYPT),
    Case("token with a member twice", lambda: decryption_request(token_json=_duplicate_member()), _BAD,
         "token_json", _DECRYPT),
    Case("wrapper with another id", lambda: decryption_request(token_json=_other_wrapper_id()), _BAD,
         "token_json.transactionIdentifier", _DECRYPT),
    *(Case(f"token without {name}", _token(lambda t, n=name: t.pop(n)), _BAD, f"token_json.{name}", _DECRYPT)
      for name in ("version", "data", "signature", "header")),
    *(Case(f"token with broken {name}", _token(lambda t, n=name, v=value: _set(t, n, v)), _BAD, f"token_json.{name}",
           _DECRYPT) for name, value in _BREAKAGE.items()),
    *(Case(f"token header without {name}", _token(lambda t, n=name: t["header"].pop(n)), _BAD,
           f"token_json.header.{name}", _DECRYPT)
      for name in ("ephemeralPublicKey", "publicKeyHash", "transactionId")),
    *(Case(f"token header with broken {name}", _token(lambda t, n=name, v=value: _set(t["header"], n, v)), _BAD,
           f"token_json.header.{name}", _DECRYPT) for name, value in _HEADER_BREAKAGE.items()),
    Case("unknown tenant hint", _hint(tenant="nobody"), "ROUTE_HINT_UNKNOWN", "route.tenant"),
    Case("unknown entity hint", _hint(entity="mars"), "ROUTE_HINT_UNKNOWN", "route.entity"),
    Case("unknown org hint", _session(lambda r: r.route.orgs.append("west")), "ROUTE_HINT_UNKNOWN", "route.orgs"),
    Case("unknown gateway hint", _hint(gateway="cash"), "ROUTE_HINT_UNKNOWN", "route.gateway"),
    Case("contradicted hint", _hint(gateway="cards-eu"), "ROUTE_HINT_CONTRADICTED",
         code=grpc.StatusCode.FAILED_PRECONDITION),
    Case("no rule matches", _amount(currency_code="CHF"), "ROUTE_NOT_FOUND", code=grpc.StatusCode.FAILED_PRECONDITION),
    Case("300 KB message", lambda: b"\x0a" + b"\xe0\xa7\x12" + b"x" * 300_000, "REQUEST_TOO_LARGE",
         code=grpc.StatusCode.RESOURCE_EXHAUSTED),
    Case("malformed Protobuf", lambda: b"\xff\xff", "REQUEST_MALFORMED"),
    Case("unknown RPC", lambda: b"", "METHOD_UNKNOWN", method=f"{_SERVICE}/CreateMoney",
         code=grpc.StatusCode.UNIMPLEMENTED),
    Case("GetIntent without operation", lambda: service_pb2.GetIntentRequest(request_id="x" * 20), _BAD, "operation",
         method=f"{_SERVICE}/GetIntent"),
    Case("v2 field on a v1 method", _v1_and(lambda r: setattr(r, "device_session_id", "x")), _BAD,
         "device_session_id", _CREATE),
    Case("unsupported type", _method(lambda r: r.other.SetInParent()), "PAYMENT_METHOD_TYPE_UNSUPPORTED",
         method=_CREATE),
    Case("raw card", _method(_card), "RAW_CARD_DATA_DISABLED", method=_CREATE,
         code=grpc.StatusCode.FAILED_PRECONDITION),
    Case("custom field name on v1", _v1_and(lambda r: setattr(r.custom_fields["region"], "text", "x")), _BAD,
         'custom_fields["region"]', _CREATE),
    Case("reserved custom field", _v1_and(lambda r: setattr(r.custom.fields["accountKey"], "text", "x")), _BAD,
         'custom.fields["accountKey"]', _CREATE),
    Case("bad decimal", _method(lambda r: setattr(r.custom_fields["limit__c"], "decimal", "1e5")), _BAD,
         'custom_fields["limit__c"].decimal', _CREATE),
    Case("Google token not JSON", _method(lambda r: setattr(r.chase_google_pay, "token_json", b"nope")), _BAD,
         "chase_google_pay.token_json", _CREATE),
    Case("payment without gateway", _decryption(lambda r: setattr(r.route, "gateway", "zuora_default")), _BAD,
         "pay_invoice", _DECRYPT),
]  # fmt: skip


def test_every_listed_case_has_a_row() -> None:
    """What is promised is tested."""
    assert LISTED == {case.name for case in CASES}


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_bad_input_is_refused_before_anything_is_sent(
    case: Case, stack: LocalStack, channel: grpc.aio.Channel
) -> None:
    """Each row gets its code, its reason and its field, and Zuora hears nothing of it."""
    call = channel.unary_unary(case.method, request_serializer=_serialize, response_deserializer=bytes)

    error = await refusal(call(case.request(), metadata=case.metadata, timeout=10))

    assert (case.code, case.reason) == (error.code, error.reason)
    fields = {violation.field for violation in error.violations}
    assert not case.field or case.field in fields, fields
    assert bool(case.field) == bool(fields)
    assert error.call_outcome is not None
    assert "OUTCOME_NOT_SENT" == call_pb2.Outcome.Name(error.outcome)
    assert f"ADVICE_{case.advice}" == call_pb2.Advice.Name(error.advice)
    operations = ("sessions", "decryption", "payment_methods", "payment_methods_v1")
    assert 0 == sum(stack.emulator.journal.count(operation) for operation in operations)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("message", "compression", "code", "reason"),
    [
        (b"x" * 5_000_000, grpc.Compression.NoCompression, grpc.StatusCode.RESOURCE_EXHAUSTED, "far too large"),
        (b"\0" * 15_000_000, grpc.Compression.Gzip, grpc.StatusCode.UNIMPLEMENTED, "small, and large once unpacked"),
        (b"\0" * 100, grpc.Compression.Gzip, grpc.StatusCode.UNIMPLEMENTED, "small, and compressed all the same"),
    ],
)
async def test_what_would_fill_the_memory_is_refused_before_it_is_read(
    stack: LocalStack,
    channel: grpc.aio.Channel,
    message: bytes,
    compression: grpc.Compression,
    code: grpc.StatusCode,
    reason: str,
) -> None:
    """By gRPC itself: no interceptor of the service sees the call, and none of its own records either."""
    call = channel.unary_unary(_DECRYPT, request_serializer=_serialize, response_deserializer=bytes)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(message, timeout=10, compression=compression)

    assert caught.value.code() is code, reason
    assert 0 == stack.emulator.journal.count("decryption")


def _serialize(request: Any) -> bytes:
    return request if isinstance(request, bytes) else bytes(request.SerializeToString())


@pytest.mark.asyncio
async def test_every_violation_is_told_at_once(stack: LocalStack, channel: grpc.aio.Channel) -> None:
    """A caller who got five things wrong learns all five, the token's among them."""
    request = decryption_request(token_json=b"[]")
    request.request_id = "short"
    request.merchant_id = ""
    request.ClearField("zuora_default")
    request.expected_amount.nanos = 1
    call = channel.unary_unary(_DECRYPT, request_serializer=_serialize, response_deserializer=bytes)

    error = await refusal(call(request, timeout=10))

    expected = {"request_id", "merchant_id", "stored_credential", "expected_amount.nanos", "token_json"}
    assert expected == {violation.field for violation in error.violations}
