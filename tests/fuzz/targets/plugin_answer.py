"""What gateway plug-ins answer."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import DecodeError
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1.payment_method_pb2 import CustomFieldValue
from payorch_server.model.secret import reveal  # noqa: TID251 - to look inside
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.plugin_outcome import read_description, read_look_up, read_response
from payorch_server.upc.request import Operation

from fuzz.target import CANARY, Target, note, require

_OPERATIONS: Final = tuple(Operation)
_RESPONSES: Final = {
    Operation.VALIDATE: gateway_pb2.ValidatePaymentMethodResponse,
    Operation.PAYMENT: gateway_pb2.ProcessPaymentResponse,
    Operation.REFUND: gateway_pb2.ProcessRefundResponse,
}


def run(data: bytes) -> None:
    """Read a message as each kind of answer; the first byte chooses the operation."""
    operation, body = _OPERATIONS[data[0] % len(_OPERATIONS) if data else 0], data[1:]
    response = read_response(body, operation, secrets=(CANARY,))
    found = read_look_up(body, operation, secrets=(CANARY,))
    for answer in (response, found):
        note(answer.broken)
        if isinstance(answer.value, GatewayOutcome):
            _check(answer.value, operation)
    read_description(body)
    approved = isinstance(response.value, GatewayOutcome) and response.value.result is Result.APPROVED
    require(approved == _says_approved(body, operation), "an approval is neither lost nor invented")


def _check(outcome: GatewayOutcome, operation: Operation) -> None:
    note(outcome.message)
    longest = 60 if operation is Operation.VALIDATE else 100
    require(len(outcome.code) <= 20 and len(outcome.message) <= 255, "texts are as short as Zuora takes them")
    require(max(len(outcome.transaction_id), len(outcome.second_transaction_id)) <= longest, "so are ids")
    require(not outcome.cut or outcome.result is Result.APPROVED, "only an approval is cut")
    require(len(reveal(outcome.token_data_changes)) <= 20, "so are changes")


def _says_approved(body: bytes, operation: Operation) -> bool:
    message = _RESPONSES[operation]()
    try:
        message.ParseFromString(body)
    except DecodeError:
        return False
    return bool(message.outcome.result == gateway_pb2.GATEWAY_RESULT_APPROVED)


def _seeds() -> Iterator[bytes]:
    for number, operation in enumerate(_OPERATIONS):
        for result in gateway_pb2.GatewayResult.values():
            outcome = gateway_pb2.GatewayOutcome(
                result=result, code="05", message=f"refused {CANARY}", transaction_id="t-1", second_transaction_id="t-2"
            )
            outcome.token_data_changes["token"].CopyFrom(CustomFieldValue(text="new"))
            outcome.token_data_changes["limit"].CopyFrom(CustomFieldValue(decimal="-0012.50"))
            yield bytes([number]) + _RESPONSES[operation](outcome=outcome).SerializeToString()
    described = gateway_pb2.DescribeGatewayResponse(name="acme", version="1", currencies=["USD"], looks_up=True)
    described.idempotent_for.seconds = 2**62
    yield b"\0" + described.SerializeToString()


TARGET = Target(
    "plugin_answer",
    run,
    _seeds,
    covers=("upc.plugin_outcome", "upc.gateway_outcome"),
    has_secrets=False,  # ids are needed as they are; the seeds carry it where it must be masked
)
