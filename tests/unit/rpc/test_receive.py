"""The message of a call, which may never come."""

import asyncio
from typing import Any

import grpc
import pytest
from harness.keyring import keyring
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Reason
from payorch_server.rpc.interceptors.receive import ReceiveInterceptor
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines

OURS = "/payorch.v1.PaymentOrchestrationService/CreateSession"
CHECK = "/grpc.health.v1.Health/Check"


class Details:
    """What gRPC says of a call before it starts."""

    invocation_metadata = ()

    def __init__(self, method: str) -> None:
        self.method = method


class Aborted(Exception):  # noqa: N818 - as in grpc.aio
    """Ends a handler after `abort`."""


class Context:
    """A context of a call whose message comes when a test says so."""

    def __init__(self) -> None:
        self.message: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.code: grpc.StatusCode | None = None

    async def read(self) -> Any:
        """Wait for the message."""
        return await self.message

    async def abort(self, code: grpc.StatusCode, _details: str) -> None:
        """End the call."""
        self.code = code
        raise Aborted


def receiver(**limits: float) -> ReceiveInterceptor:
    """Make an interceptor."""
    return ReceiveInterceptor(max_request_bytes=10, deadlines=Deadlines(SystemClock()), keyring=keyring(), **limits)


async def serve(receive: ReceiveInterceptor, context: Context, method: str = OURS) -> Any:
    """Serve a call by a handler that returns its request."""

    async def echo(request: Any, _context: Any) -> Any:
        return request

    async def continuation(_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(echo)

    handler: Any = await receive.intercept_service(continuation, Details(method))  # type: ignore[arg-type] # as much of it as is used
    return await handler.stream_unary(None, context)


@pytest.mark.asyncio
class TestMessage:
    """Exactly one, in time."""

    async def test_is_handed_to_the_handler(self) -> None:
        """As it came."""
        context = Context()
        context.message.set_result("a request")

        assert "a request" == await serve(receiver(), context)

    async def test_that_never_comes_is_not_waited_for(self) -> None:
        """Nothing was sent."""
        with pytest.raises(CallError) as caught:
            await serve(receiver(timeout_s=0.0), Context())

        assert Reason.DEADLINE_TOO_SHORT is caught.value.failure.reason

    async def test_that_is_missing_is_an_error_of_the_caller(self) -> None:
        """The client ended its side without one."""
        context = Context()
        context.message.set_result(grpc.aio.EOF)

        with pytest.raises(CallError) as caught:
            await serve(receiver(), context)

        assert Reason.REQUEST_MALFORMED is caught.value.failure.reason

    async def test_that_never_comes_ends_calls_of_others_plainly(self) -> None:
        """A health check has no details."""
        context = Context()

        with pytest.raises(Aborted):
            await serve(receiver(timeout_s=0.0), context, CHECK)

        assert grpc.StatusCode.DEADLINE_EXCEEDED is context.code


@pytest.mark.asyncio
class TestCallsWhoseTimeIsUp:
    """Between the end of its time and the end of a call, the event loop runs others."""

    async def test_make_room_for_another(self) -> None:
        """Which is received as if they had ended."""
        receive, given = receiver(timeout_s=0.0), Context()
        given.message.set_result("a request")
        slow = [asyncio.ensure_future(serve(receive, Context())) for _ in range(100)]
        await until_expired(receive)

        assert "a request" == await serve(receive, given)
        assert {CallError} == {type(error) for error in await asyncio.gather(*slow, return_exceptions=True)}

    async def test_do_not_disturb_the_drain(self) -> None:
        """Which would otherwise fail, and with it the end of the process."""
        receive = receiver(timeout_s=0.0)
        slow = asyncio.ensure_future(serve(receive, Context()))
        await until_expired(receive)

        receive.drain()

        with pytest.raises(CallError):
            await slow


async def until_expired(receive: ReceiveInterceptor) -> None:
    """Run the loop until the time of the calls that wait is up, and no further."""
    while not (receive._waiting and all(limit.has_passed for limit in receive._waiting)):
        await asyncio.sleep(0)
