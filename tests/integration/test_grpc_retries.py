"""Calls that gRPC itself sends again, by the retry policy of a client."""

import json
from datetime import timedelta

import grpc
import pytest
from harness.calls import refusal
from harness.controlled_emulator import frozen_emulator
from harness.requests import session_request
from harness.stack import running
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

Stub = service_grpc.PaymentOrchestrationServiceStub
RETRY_ONCE = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 2,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.01s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"],
                },
            }
        ]
    }
)
OPTIONS = (("grpc.service_config", RETRY_ONCE), ("grpc.use_local_subchannel_pool", 1))


class TestRetryByGrpc:
    """Its caller sees one answer, and does not know what became of the attempt before."""

    @pytest.mark.asyncio
    async def test_is_not_reported_as_not_sent_by_a_check_before_the_intent_is_read(self) -> None:
        """The refusal is about the last attempt alone; the first may have reached another replica and been sent."""
        emulator, clock = frozen_emulator()
        emulator.faults.add("sessions:slow:1")
        async with (
            running(emulator=emulator, over={"grpc": {"max_calls_in_progress": 1}}) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
            grpc.aio.insecure_channel(stack.target, options=OPTIONS) as retrying,
        ):
            first = Stub(channel).CreateSession(session_request(), timeout=15)
            await clock.until_somebody_sleeps()

            error = await refusal(Stub(retrying).CreateSession(session_request(), timeout=10))

            assert ("EARLIER_ATTEMPT_UNSETTLED", "OVERLOADED") == (error.reason, error.metadata["lastReason"])
            assert (call_pb2.OUTCOME_UNKNOWN, call_pb2.ADVICE_RESEND_SAME_REQUEST_ID) == (error.outcome, error.advice)
            assert error.retry_delay_s is not None
            clock.advance(timedelta(minutes=1))
            await first

    @pytest.mark.asyncio
    async def test_may_be_reported_as_not_sent_where_nothing_can_be_sent(self) -> None:
        """A preview opens no intent."""
        async with running() as stack, grpc.aio.insecure_channel(stack.target, options=OPTIONS) as retrying:
            preview = session_request()
            preview.validate_only = True
            preview.route.entity = "nowhere"

            error = await refusal(Stub(retrying).CreateSession(preview, timeout=10))

            assert ("ROUTE_HINT_UNKNOWN", call_pb2.OUTCOME_NOT_SENT) == (error.reason, error.outcome)
