"""What one caller cannot take from the others: calls, metadata, pings, connections."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.controlled_emulator import frozen_emulator
from harness.http2 import ENHANCE_YOUR_CALM, GOAWAY, NO_ERROR, PING, Connection, connection
from harness.requests import session_request
from harness.stack import LocalStack, running
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server import config
from payorch_server.config import Settings

Stub = service_grpc.PaymentOrchestrationServiceStub
A_MINUTE = timedelta(minutes=1)


class TestCallsInProgress:
    """A full house says so at once."""

    @pytest.mark.asyncio
    async def test_beyond_the_limit_are_refused_and_may_be_resent(self) -> None:
        """On whatever connection; nothing is sent, and there is room again when a call has ended."""
        emulator, clock = frozen_emulator()
        emulator.faults.add("sessions:slow:1")
        over = {"grpc": {"max_calls_in_progress": 1}}
        async with (
            running(emulator=emulator, over=over) as stack,
            grpc.aio.insecure_channel(stack.target) as one,
            grpc.aio.insecure_channel(stack.target, options=(("grpc.use_local_subchannel_pool", 1),)) as another,
        ):
            first = Stub(one).CreateSession(session_request(), timeout=15)
            await clock.until_somebody_sleeps()

            request = session_request()
            error = await refusal(Stub(another).CreateSession(request, timeout=10))

            assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED") == (error.code, error.reason)
            assert (call_pb2.OUTCOME_NOT_SENT, call_pb2.ADVICE_RESEND_SAME_REQUEST_ID) == (error.outcome, error.advice)
            assert 0.5 == error.retry_delay_s
            assert 1 == emulator.journal.count("sessions")
            clock.advance(A_MINUTE)
            await first
            assert (await Stub(another).CreateSession(request, timeout=10)).session.token

    @pytest.mark.asyncio
    async def test_that_were_refused_leave_their_place(self) -> None:
        """A caller who fails, however, takes no room from the others."""
        over = {"grpc": {"max_calls_in_progress": 1}}
        async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            invalid = session_request()
            invalid.request_id = "short"
            unroutable = session_request()
            unroutable.route.entity = "nowhere"

            for request in (invalid, unroutable):
                error = await refusal(Stub(channel).CreateSession(request, timeout=10))
                assert "OVERLOADED" != error.reason

            assert (await Stub(channel).CreateSession(session_request(), timeout=10)).session.token


class TestMetadata:
    """What comes before a request."""

    @pytest.mark.asyncio
    async def test_that_is_too_large_is_refused_by_grpc(self, stack: LocalStack, channel: grpc.aio.Channel) -> None:
        """Before any of our code; the connection serves the next call."""
        stub: Any = Stub(channel)

        error = await refusal(stub.CreateSession(session_request(), metadata=(("x-large", "x" * 40_000),), timeout=10))

        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "") == (error.code, error.reason)
        assert 0 == stack.emulator.journal.count("sessions")
        assert (await stub.CreateSession(session_request(), timeout=10)).session.token

    @pytest.mark.asyncio
    async def test_of_the_largest_token_is_taken(self, channel: grpc.aio.Channel) -> None:
        """Tokens of 8192 characters and a trace fit."""
        metadata = (("authorization", "Bearer " + "x" * 8192), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"))

        answer = await Stub(channel).CreateSession(session_request(), metadata=metadata, timeout=10)

        assert answer.session.token


async def ping(opened: Connection, *payloads: bytes) -> list[bytes]:
    """Ping, each time after the answer to the last; return what the answers hold."""
    frames, answers = opened.frames(), []
    for payload in payloads:
        opened.send(PING, payload)
        async for kind, answer in frames:
            if kind in {PING, GOAWAY}:
                answers.append(answer)
                break
    return answers


class TestConnections:
    """How the service ends them."""

    @pytest.mark.asyncio
    async def test_that_ping_too_often_are_ended(self, stack: LocalStack) -> None:
        """Whoever keeps a service busy with nothing is told to calm down."""
        async with connection(stack.application.grpc_port) as opened:
            opened.send(PING, *(number.to_bytes(8, "big") for number in range(8)))

            goodbye = await opened.goodbye()

        assert (ENHANCE_YOUR_CALM, "too_many_pings") == (goodbye.code, goodbye.text)

    @pytest.mark.asyncio
    async def test_that_ping_seldom_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same pings are none too many where they may come so often; no configuration allows that."""
        pings, load = [number.to_bytes(8, "big") for number in range(8)], config.load

        def load_with_any_ping(*files: Path) -> Settings:
            settings = load(*files)
            grpc = replace(settings.document.grpc, min_ping_interval_s=0.0)
            return replace(settings, document=settings.document.model_copy(update={"grpc": grpc}))

        monkeypatch.setattr(config, "load", load_with_any_ping)
        async with running() as stack, connection(stack.application.grpc_port) as opened:
            answers = await ping(opened, *pings)

        assert pings == answers

    @pytest.mark.asyncio
    async def test_that_are_old_are_ended_politely(self) -> None:
        """So that clients find new replicas."""
        over = {"grpc": {"max_connection_age_s": 1.0}}
        async with running(over=over) as stack, connection(stack.application.grpc_port) as opened:
            goodbye = await opened.goodbye()

        assert (NO_ERROR, "max_age") == (goodbye.code, goodbye.text)
