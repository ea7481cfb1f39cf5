"""What one caller cannot take from the others: calls, metadata, pings, connections."""

import asyncio
import struct
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.calls import refusal
from harness.controlled_emulator import frozen_emulator
from harness.http2 import ENHANCE_YOUR_CALM, GOAWAY, INITIAL_WINDOW, NO_ERROR, PING, SETTINGS, Connection, connection
from harness.requests import session_request
from harness.stack import LocalStack, running
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server import config
from payorch_server.config import Settings

Stub = service_grpc.PaymentOrchestrationServiceStub
A_MINUTE = timedelta(minutes=1)
_CREATE_SESSION = "/payorch.v1.PaymentOrchestrationService/CreateSession"


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
            assert error.retry_delay_s is not None
            assert 0.5 <= error.retry_delay_s < 1.5
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

    @pytest.mark.asyncio
    async def test_whose_message_never_comes_are_counted(self) -> None:
        """They cost no less than others, and gRPC would wait for them for ever."""
        over = {"grpc": {"max_calls_in_progress": 1}}
        async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            silent: Any = channel.stream_unary(_CREATE_SESSION)()
            while not stack.application.interceptors.admission.in_progress:
                await asyncio.sleep(0)

            error = await refusal(Stub(channel).CreateSession(session_request(), timeout=10))
            silent.cancel()
            while stack.application.interceptors.admission.in_progress:
                await asyncio.sleep(0)

            assert "OVERLOADED" == error.reason
            assert (await Stub(channel).CreateSession(session_request(), timeout=10)).session.token

    @pytest.mark.asyncio
    async def test_without_a_message_are_refused(self, channel: grpc.aio.Channel) -> None:
        """A client that ends its side without one made a mistake."""
        nothing: Any = channel.stream_unary(_CREATE_SESSION)(iter(()), timeout=10)

        error = await refusal(nothing)

        assert (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED") == (error.code, error.reason)

    @pytest.mark.asyncio
    async def test_that_have_waited_too_long_are_refused(self) -> None:
        """Each with all that a caller needs, none of them by gRPC itself, and the next call is served."""
        over = {"grpc": {"max_start_delay_s": 0.1}}
        async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            calls = [Stub(channel).CreateSession(session_request(), timeout=15) for _ in range(300)]
            errors = [await refusal(call) for call in calls if await call.code() is not grpc.StatusCode.OK]
            answer = await Stub(channel).CreateSession(session_request(), timeout=10)

        assert {("OVERLOADED", call_pb2.OUTCOME_NOT_SENT)} == {(error.reason, error.outcome) for error in errors}
        assert len(errors) < 300
        assert answer.session.token


class TestStreams:
    """Watches of the health and reflection live as long as their clients like."""

    @pytest.mark.asyncio
    async def test_of_one_connection_are_few(self, channel: grpc.aio.Channel) -> None:
        """One client watches some names, not thousands."""
        watches = [_watch(channel) for _ in range(10)]
        for watch in watches:
            await watch.read()

        error = await refusal(_watch(channel).read())

        assert grpc.StatusCode.RESOURCE_EXHAUSTED is error.code

    @pytest.mark.asyncio
    async def test_of_all_connections_are_limited(self) -> None:
        """And leave their place when they end."""
        async with (
            running(over={"grpc": {"max_health_streams": 1}}) as stack,
            grpc.aio.insecure_channel(stack.target) as one,
            grpc.aio.insecure_channel(stack.target, options=(("grpc.use_local_subchannel_pool", 1),)) as another,
        ):
            watch = _watch(one)
            await watch.read()
            error = await refusal(_watch(another).read())
            watch.cancel()
            while stack.application.interceptors.streams.open:
                await asyncio.sleep(0)

            assert grpc.StatusCode.RESOURCE_EXHAUSTED is error.code
            assert await _watch(another).read()


def _watch(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=15)


class TestUnaskedBytes:
    """What a call may send before its start."""

    @pytest.mark.asyncio
    async def test_of_each_call_are_few(self, stack: LocalStack) -> None:
        """As many calls as connections allow wait, and gRPC keeps these bytes of each."""
        async with connection(stack.application.grpc_port) as opened:
            opened.send(PING, b"12345678")
            windows = []
            async for kind, payload in opened.frames():
                if kind == PING:
                    break
                if kind == SETTINGS:
                    windows += [value for name, value in struct.iter_unpack(">HI", payload) if name == INITIAL_WINDOW]

        assert [16_384] == windows


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


async def _is_closed(port: int) -> bool:
    """Connect, and return whether the service hangs up at once."""
    async with connection(port) as opened:
        try:
            await ping(opened, b"12345678")
        except (asyncio.IncompleteReadError, ConnectionError):
            return True
    return False


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
    async def test_beyond_the_limit_are_closed(self) -> None:
        """The others are served."""
        async with running(over={"grpc": {"max_connections": 2}}) as stack:
            port = stack.application.grpc_port
            async with connection(port) as one, connection(port):
                await ping(one, b"12345678")

                assert await _is_closed(port)
                assert [b"87654321"] == await ping(one, b"87654321")

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
