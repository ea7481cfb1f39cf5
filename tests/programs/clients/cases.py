"""The errors that clients have to be able to read, and what each must say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from harness.requests import decryption_request, payment_method_request, session_request, usd
from harness.stack import SOLO_TENANT
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.errors import InvalidRequestError
from payorch_server.rpc.payment_orchestration import FURTHER_CHECKS
from payorch_server.rpc.validation import Validator

from programs.clients import upstream
from programs.clients.invalid_requests import invalidate, long_key

# As long as one may be.
TRACK_ID: Final = "~" * 64
_MAX_TEXT_BYTES: Final = 200
_SERVICE: Final = "/payorch.v1.PaymentOrchestrationService"


@dataclass(frozen=True, slots=True)
class Case:
    """One call, and the error that must reach its caller."""

    name: str
    method: str
    request: bytes
    told: dict[str, Any]
    """Members of the answer that must be exactly these."""
    violations: list[list[str]] = field(default_factory=list)
    """All there are, in order; the answer has the first of them and the number of the others."""
    shown: range = range(1)
    """How many of them the answer may have."""

    @property
    def path(self) -> str:
        """The path of the method."""
        return f"{_SERVICE}/{self.method}"


def cases() -> list[Case]:
    """Return them all, with fresh request ids."""
    return [
        *(
            _invalid(f"every field of {method} wrong", method, _invalidated(kind), shown=range(5, 26))
            for method, kind in (
                ("CreateSession", service_pb2.CreateSessionRequest),
                ("DecryptApplePay", service_pb2.DecryptApplePayRequest),
                ("CreatePaymentMethod", service_pb2.CreatePaymentMethodRequest),
            )
        ),
        _invalid("longest paths", "CreatePaymentMethod", _longest_paths(), shown=range(5, 26)),
        _invalid("most violations shown", "CreateSession", _many_short(), shown=range(25, 26)),
        _longest_texts(),
        _ordinary_refusal(),
    ]


def _told(code: grpc.StatusCode, reason: str, outcome: str, advice: str, **more: Any) -> dict[str, Any]:
    return {
        "code": code.value[0],
        "reason": reason,
        "outcome": f"OUTCOME_{outcome}",
        "advice": f"ADVICE_{advice}",
        "track_id": TRACK_ID,
        **more,
    }


def _invalid(name: str, method: str, request: Any, *, shown: range) -> Case:
    told = _told(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", "NOT_SENT", "FIX_REQUEST", attempts=[])
    return Case(name, method, request.SerializeToString(), told, _violations(request), shown)


def _violations(request: Any) -> list[list[str]]:
    try:
        Validator(FURTHER_CHECKS).check(request)
    except InvalidRequestError as error:
        return [
            [_cut(broken.field), _cut(broken.rule), _cut(broken.description)] for broken in error.failure.violations
        ]
    return []


def _cut(text: str) -> str:
    return text.encode()[:_MAX_TEXT_BYTES].decode(errors="ignore")


def _invalidated(kind: Callable[[], Any]) -> Any:
    request = kind()
    invalidate(request)
    return request


def _longest_paths() -> Any:
    request = payment_method_request()
    for number in range(100):
        request.custom_fields[long_key(number)].decimal = "1e5"
    return request


def _many_short() -> Any:
    request = session_request()
    request.ClearField("one_time_payment")
    request.pay_and_store.amount.CopyFrom(usd(1))
    request.pay_and_store.account_id = "x"
    for _ in range(1000):
        request.pay_and_store.invoices.add()
    return request


def _longest_texts() -> Case:
    request = decryption_request()
    request.route.tenant = SOLO_TENANT
    attempts = [
        [ordinal, 503 if ordinal < upstream.ATTEMPTS else 200, request_id]
        for ordinal, request_id in enumerate(upstream.REQUEST_IDS, start=1)
    ]
    told = _told(
        grpc.StatusCode.FAILED_PRECONDITION,
        "PAYMENT_REFUSED_METHOD_CREATED",
        "PARTIAL",
        "LOOK_UP",
        zuora_codes=upstream.CODES,
        zuora_process_id=upstream.PROCESS_ID,
        zuora_request_id=upstream.REQUEST_IDS[-1],
        attempts=attempts,
        existing=upstream.EXISTING,
        metadata={},
    )
    return Case("longest texts of Zuora's", "DecryptApplePay", request.SerializeToString(), told)


def _ordinary_refusal() -> Case:
    request = session_request()
    request.one_time_payment.account_id = "unknown"
    told = _told(grpc.StatusCode.NOT_FOUND, "UPSTREAM_NOT_FOUND", "REFUSED", "FIX_REQUEST")
    return Case("ordinary refusal", "CreateSession", request.SerializeToString(), told)
