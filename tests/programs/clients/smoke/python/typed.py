"""What a strict checker has to know of the client's types, and has to refuse; it is checked and never run."""

from decimal import Decimal
from typing import assert_type

import payorch
from google.type.money_pb2 import Money
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb


def values(request: pb.CreateSessionRequest, answer: pb.DecryptApplePayResponse) -> None:
    """Amounts are no Any, wherever they come from."""
    assert_type(payorch.money("100.10", "USD"), Money)
    assert_type(payorch.decimal_of(request.one_time_payment.amount), Decimal)
    assert_type(request.one_time_payment.amount, Money)
    assert_type(answer.amount_check, pb.AmountCheck.ValueType)
    request.one_time_payment.amount.units = "100"  # type: ignore[assignment] # a checker has to see it
    pb.OneTimePaymnt()  # type: ignore[attr-defined] # a checker has to see it


def calls(client: payorch.Client, request: pb.CreateSessionRequest) -> None:
    """Answers and errors carry their types."""
    assert_type(client.create_session(request), pb.CreateSessionResponse)
    client.create_session(pb.GetIntentRequest())  # type: ignore[arg-type] # a checker has to see it
    try:
        client.create_session(request)
    except payorch.PayorchError as failed:
        assert_type(failed.error, payorch.CallError)
        assert_type(failed.error.advice, call_pb2.Advice.ValueType)


async def tasks(client: payorch.aio.AsyncClient, request: pb.GetIntentRequest) -> None:
    """The same for tasks."""
    assert_type((await client.get_intent(request)).intent_state, pb.IntentState.ValueType)
