"""Each RPC once, an error, and a call that is retried, with the Python client; one JSON line each."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import grpc
import payorch
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb

ACCOUNT: Final = "2c92c0f8000000000000000000000001"


def tell(step: str, **told: Any) -> None:
    """Print one line for the runner."""
    print(json.dumps({"step": step, **told}), flush=True)


def session(account: str = ACCOUNT) -> pb.CreateSessionRequest:
    """Ask for 100.10 USD."""
    request = pb.CreateSessionRequest()
    request.one_time_payment.amount.CopyFrom(payorch.money("100.10", "USD"))
    request.one_time_payment.account_id = account
    return request


def decryption(token_json: bytes) -> pb.DecryptApplePayRequest:
    """Ask for 12.34 USD of an invoice."""
    request = pb.DecryptApplePayRequest(
        request_id=payorch.new_request_id(),
        token_json=payorch.apple_pay_token(token_json),
        merchant_id="merchant.example.payorch",
        account_id=ACCOUNT,
    )
    request.zuora_default.SetInParent()
    request.pay_invoice.invoice = "INV00000001"
    request.expected_amount.CopyFrom(payorch.money("12.34", "USD"))
    return request


def method() -> pb.CreatePaymentMethodRequest:
    """Ask for a SEPA debit."""
    request = pb.CreatePaymentMethodRequest()
    request.account_by_number.number = "A00000001"
    request.sepa_debit.iban = "DE89370400440532013000"
    request.sepa_debit.mandate.id = "mandate-1"
    return request


def main(target: str, token_file: str) -> None:
    """Make the calls."""
    with payorch.connect(target, plaintext=True) as client:
        request = session()
        with payorch.tracked("smoke-python-session"):
            created = client.create_session(request)
        tell(
            "session",
            track_id=created.call.track_id,
            replayed=call_pb2.Replay.Name(created.call.replayed),
            token_length=len(created.session.token),
        )
        with payorch.tracked("smoke-python-apple-pay"):
            paid = client.decrypt_apple_pay(decryption(Path(token_file).read_bytes()))
        tell(
            "apple_pay",
            track_id=paid.call.track_id,
            payment_method_id=paid.payment_method_id,
            payment_id=paid.payment_id,
        )
        with payorch.tracked("smoke-python-method"):
            saved = client.create_payment_method(method())
        tell("method", track_id=saved.call.track_id, payment_method_id=saved.payment_method.id)
        asked = pb.GetIntentRequest(request_id=created.call.request_id, operation=pb.OPERATION_CREATE_SESSION)
        tell("intent", state=pb.IntentState.Name(client.get_intent(asked).intent_state))
        refuse(target)
        tell("ready")
        sys.stdin.readline()
        with payorch.tracked("smoke-python-retry"):
            retried = client.create_session(session())
        tell("retry", track_id=retried.call.track_id, token_length=len(retried.session.token))


def refuse(target: str) -> None:
    """Ask once for an account that does not exist; a client of its own, whose resends take nothing from the others."""
    try:
        with payorch.connect(target, plaintext=True, resend=None) as client, payorch.tracked("smoke-python-error"):
            client.create_session(session("unknown"))
    except payorch.PayorchError as failed:
        error = failed.error
        code: Any = error.code
        tell(
            "error",
            code=code.value[0],
            reason=error.reason,
            outcome=call_pb2.Outcome.Name(error.outcome),
            advice=call_pb2.Advice.Name(error.advice),
            track_id=error.track_id,
            zuora_codes=list(error.zuora_codes),
        )
    else:
        sys.exit("The service created a session for an account that does not exist.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (payorch.PayorchError, grpc.RpcError) as error:
        sys.exit(str(error))
