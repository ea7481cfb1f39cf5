"""The successful answers of a double of the service, and the rules that it checks."""

import time
from typing import Any, Final

from payorch.rpcs import CREATE_SESSION, DECRYPT_APPLE_PAY, Rpc
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb
from payorch.values import decimal_of

_LEAST_ID, _MOST_ID = 16, 128
_FIRST, _LAST = "!", "~"
_RULE: Final = f"must be {_LEAST_ID} to {_MOST_ID} characters from 0x21 to 0x7E"


def broken_rules(request: Any) -> dict[str, str]:
    """Return what is wrong with a request, by field. The service knows many more rules."""
    text = request.request_id
    valid = _LEAST_ID <= len(text) <= _MOST_ID and all(_FIRST <= character <= _LAST for character in text)
    wrong = {} if valid else {"request_id": _RULE}
    for group in request.DESCRIPTOR.oneofs:
        # An optional field is a oneof of its own.
        optional = len(group.fields) == 1 and group.name == f"_{group.fields[0].name}"
        if not optional and request.WhichOneof(group.name) is None:
            wrong[group.name] = "exactly one field is required in oneof"
    return wrong


def executed(request: Any, rpc: Rpc[Any, Any], track_id: str, number: int) -> Any:
    """Return the answer to a request that is executed as the one with this number, or only checked."""
    answer = rpc.answer()
    answer.call.track_id = track_id
    answer.call.request_id = request.request_id
    answer.call.route_taken.tenant = "fake"
    answer.call.matched_rule = "fake"
    if request.validate_only:
        answer.upstream_request.method, answer.upstream_request.uri = "POST", "https://zuora.invalid/"
        return answer
    answer.call.replayed, answer.call.attempt_count = call_pb2.REPLAY_NO, 1
    answer.call.executed_track_id = track_id
    answer.call.first_send_time.FromNanoseconds(time.time_ns())
    if rpc is CREATE_SESSION:
        answer.session.token = f"fake-session-{number}"
    elif rpc is DECRYPT_APPLE_PAY:
        answer.payment_method_id = f"fake-method-{number}"
        answer.payment_id = f"fake-payment-{number}" if request.HasField("pay_invoice") else ""
        _report_amount(request, answer)
    else:
        answer.payment_method.id = f"fake-method-{number}"
        paid = request.apple_pay.HasField("pay_invoice")
        answer.payment_method.payment_id = f"fake-payment-{number}" if paid else ""
    return answer


def _report_amount(request: pb.DecryptApplePayRequest, answer: pb.DecryptApplePayResponse) -> None:
    """Report the expected amount as the one that was paid, because nothing here reads tokens."""
    if not request.HasField("expected_amount"):
        return
    answer.amount_check = pb.AMOUNT_CHECK_NOT_REPORTED
    if answer.payment_id:
        answer.reported_amount = str(decimal_of(request.expected_amount))
        answer.amount_check = pb.AMOUNT_CHECK_EQUAL
