"""The clocks of the service and of Zuora differ: what is refused, and how that ends."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.app import components
from payorch_server.runtime.clock import SystemClock
from structlog.testing import capture_logs
from zuora_emulator import Emulator
from zuora_emulator import SystemClock as ZuoraClock

Stub = service_grpc.PaymentOrchestrationServiceStub


class SkewedClock(SystemClock):
    """A machine whose time of day a test can set wrong, and whose time can pass."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.passed = timedelta()

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return super().now() + self.passed + self.ahead

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return super().monotonic() + self.passed.total_seconds()


async def _ready(stack: LocalStack) -> None:
    while not stack.application.components.health.states["acme"]:
        await asyncio.sleep(0.01)


async def _judge(stub: Stub) -> None:
    """Have three answers of two operations judged."""
    for _ in range(2):
        await stub.CreateSession(session_request(), timeout=10)
    await stub.CreatePaymentMethod(payment_method_request(), timeout=10)


@pytest.mark.asyncio
@pytest.mark.parametrize("ahead", [timedelta(minutes=90), timedelta(minutes=-70)], ids=str)
async def test_a_wrong_clock_stops_money_and_not_sessions(ahead: timedelta) -> None:
    """Until one answer shows the right time; nothing was sent, and the caller learns when to resend."""
    clock = SkewedClock()
    async with running(clock=clock, tenants=("acme",)) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub = Stub(channel)
        await _ready(stack)
        clock.ahead = ahead
        await _judge(stub)
        before = stack.emulator.ledger.count("payment_methods")

        refused: list[Any] = [
            await refusal(stub.DecryptApplePay(decryption_request(), timeout=10)),
            await refusal(stub.CreatePaymentMethod(payment_method_request(), timeout=10)),
        ]
        session = await stub.CreateSession(session_request(), timeout=10)
        clock.ahead = timedelta()
        still = await refusal(stub.DecryptApplePay(decryption_request(), timeout=10))
        await stub.CreateSession(session_request(), timeout=10)
        paid = await stub.DecryptApplePay(decryption_request(), timeout=10)

    for error in (*refused, still):
        assert (error.reason, error.outcome) == ("CLOCK_OFFSET_TOO_LARGE", call_pb2.OUTCOME_NOT_SENT)
        assert (error.advice, error.retry_delay_s) == (call_pb2.ADVICE_RESEND_SAME_REQUEST_ID, 20)
    assert session.session.token
    assert paid.payment_id
    assert stack.emulator.ledger.count("payment_methods") == before
    assert stack.emulator.ledger.count("decryption") == 1


@pytest.mark.asyncio
async def test_a_clock_that_was_mended_is_noticed_without_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service requests tokens meanwhile, and logs each change of state once."""
    monkeypatch.setattr(components, "_PROBE_S", 0.02)
    clock = SkewedClock()
    with capture_logs() as logs:
        async with running(clock=clock, tenants=("acme",)) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            await _ready(stack)
            clock.ahead = timedelta(minutes=90)
            await _judge(Stub(channel))
            refused = stack.application.components.clocks.too_large("acme")
            tokens = stack.emulator.journal.count("token")
            while stack.emulator.journal.count("token") < tokens + 3:
                await asyncio.sleep(0.01)
            clock.ahead = timedelta()
            while stack.application.components.clocks.too_large("acme"):
                await asyncio.sleep(0.01)

    assert refused
    changes = [(line["event"], line["tenant"]) for line in logs if line["event"].startswith("clock_offset")]
    assert changes == [("clock_offset_too_large", "acme"), ("clock_offset_within_limit", "acme")]


@pytest.mark.asyncio
@pytest.mark.parametrize("operation", ["payment_methods", "decryption"])
@pytest.mark.parametrize(
    ("at_opening", "at_resend"),
    [(timedelta(minutes=90), timedelta()), (timedelta(), timedelta(minutes=-70))],
    ids=["ahead at the opening", "behind at the resend"],
)
async def test_a_wrong_clock_executes_nothing_twice(
    at_opening: timedelta, at_resend: timedelta, operation: str
) -> None:
    """24 hours and 5 minutes after a lost answer Zuora has forgotten the key: its caller has to look it up."""
    clock, zuora_clock = SkewedClock(), ZuoraClock()
    emulator = Emulator(clock=zuora_clock)
    emulator.faults.add(f"{operation}:drop_after", times=3)
    request = payment_method_request() if operation == "payment_methods" else decryption_request()
    async with (
        running(emulator=emulator, clock=clock, tenants=("acme",)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        stub = Stub(channel)
        send = stub.CreatePaymentMethod if operation == "payment_methods" else stub.DecryptApplePay
        await _ready(stack)
        clock.ahead = at_opening
        lost = await refusal(send(request, timeout=10))
        clock.ahead = at_resend
        clock.passed = zuora_clock.ahead = timedelta(hours=24, minutes=5)
        late = await refusal(send(request, timeout=10))

    assert (lost.reason, lost.outcome) == ("UPSTREAM_NO_ANSWER", call_pb2.OUTCOME_UNKNOWN)
    assert (late.reason, late.outcome) == ("INTENT_EXPIRED", call_pb2.OUTCOME_UNKNOWN)
    assert late.advice == call_pb2.ADVICE_LOOK_UP
    assert emulator.ledger.count(operation) == 1
