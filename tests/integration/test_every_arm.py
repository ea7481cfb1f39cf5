"""Every arm of our requests goes through the service to the emulator and is created there."""

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import Descriptor
from harness.every_arm import Arm, arms, request_of
from harness.stack import LocalStack, running
from payorch.v1 import payment_method_result_pb2
from payorch.v1.payment_orchestration_service_pb2_grpc import PaymentOrchestrationServiceStub as Stub
from payorch_server.zuora.resources.payment_methods import REFUSED

pytestmark = pytest.mark.asyncio
TIMEOUT_S = 10
CREATED = {200, 201}
# Members of our answer that the answer of a creation cannot hold, with the reason.
NEVER_AT_CREATION = {
    "PaymentMethod.custom_type": "methods of custom types are created by v1, which answers with the id alone",
    "PaymentMethod.last_failed_sale_transaction_time": "a declined creation creates nothing",
    "PaymentMethod.account_json": "only with an expansion",
    "MandateState.network_transaction_id": "the schema of the answer has no such member",
    "MandateState.type": "the schema of the answer has no such member",
    "MandateState.verified": "the schema of the answer has no such member",
    "MandateState.customer_acceptance_id": "the schema of the answer has no such member",
    "MandateState.customer_acceptance_date": "the schema of the answer has no such member",
}


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[LocalStack]:
    """The service and the emulator over loopback sockets; raw card numbers are accepted."""
    async with running(over={"payment_methods": {"raw_card_data": True}}) as stack:
        yield stack


async def outcome_of(arm: Arm, stack: LocalStack, stub: Stub) -> tuple[str, payment_method_result_pb2.PaymentMethod]:
    """Send a request; return what was wrong, or nothing, and the created method."""
    journal = stack.emulator.journal
    try:
        answer = await getattr(stub, arm.rpc)(request_of(arm), timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        return str(error.details()), payment_method_result_pb2.PaymentMethod()
    last = journal.entries[-1]
    problem = "" if last.status in CREATED and last.outcome == "executed" else f"{last.status} {last.outcome}"
    return problem, getattr(answer, "payment_method", payment_method_result_pb2.PaymentMethod())


async def test_every_arm_is_created_at_the_emulator(stack: LocalStack, stub: Stub) -> None:
    """A new arm is red until the service sends it in a form that Zuora takes."""
    outcomes = {arm: (await outcome_of(arm, stack, stub))[0] for arm in arms()}

    refused = {str(arm): problem for arm, problem in outcomes.items() if problem}
    assert refused.keys() == {f"CreatePaymentMethod, method = {name}" for name in REFUSED}, refused


async def test_every_member_of_a_created_method_is_read_once(stack: LocalStack, stub: Stub) -> None:
    """What no answer of the emulator holds, no test through the service would see misread."""
    seen: set[str] = set()
    for arm in arms():
        _, method = await outcome_of(arm, stack, stub)
        seen |= members_of(method)

    assert declared(payment_method_result_pb2.PaymentMethod.DESCRIPTOR) - seen == NEVER_AT_CREATION.keys()


def members_of(message: object) -> set[str]:
    """Return the set members of a message and of those in it, by message and name."""
    found: set[str] = set()
    for field, value in message.ListFields():
        found.add(f"{message.DESCRIPTOR.name}.{field.name}")
        if field.message_type is not None:
            found |= members_of(value)
    return found


def declared(message: Descriptor) -> set[str]:
    """Return the members that a message and those in it can have."""
    found = {f"{message.name}.{field.name}" for field in message.fields}
    return found.union(*(declared(field.message_type) for field in message.fields if field.message_type))
