"""Refuses calls before they cost anything: beyond max_calls_in_progress, and when they have waited too long."""

from collections.abc import Callable
from typing import Any, Final, cast

import grpc

from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours
from payorch_server.rpc.refusals import Refusals
from payorch_server.rpc.settings import GrpcSettings
from payorch_server.rpc.waiting_calls import WaitingCalls

# A read is cheap, and a caller that was refused asks what became of its calls.
_READ: Final = "/GetIntent"
_SHARE_WITH_READS: Final = 1.1
# Of late calls, one in so many is served all the same. Where refusals alone would take all the time there is, this
# leaves a quarter of it to calls, and gRPC itself ends what there is no time to refuse.
_LATE_FOR_EACH_SERVED: Final = 32


class AdmissionInterceptor(grpc.aio.ServerInterceptor):
    """Counts the calls that are in progress, and refuses those that are too many or too late."""

    def __init__(self, settings: GrpcSettings, *, refusals: Refusals, waiting: WaitingCalls) -> None:
        """Make the outermost interceptor of a server.

        Args:
            settings: Limits.
            refusals: Make the handlers of refused calls.
            waiting: The calls of the server that wait for their start.
        """
        self._limit = settings.max_calls_in_progress
        self._max_delay_s = settings.max_start_delay_s
        self._refusals = refusals
        self._waiting = waiting
        self._in_progress = 0
        self._late = 0

    def __repr__(self) -> str:
        return f"AdmissionInterceptor({self._in_progress} of {self._limit}, {self._waiting!r})"

    @property
    def in_progress(self) -> int:
        """How many calls are in progress, those included that wait for their start."""
        return self._in_progress + self._waiting.count()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Refuse a call, or count it until it ends."""
        method = handler_call_details.method
        waited_s = self._waiting.start()
        # 1. Health and reflection have limits of their own.
        if not is_ours(method):
            return _until_end(await continuation(handler_call_details), self._waiting.end)
        # 2. Too many or too late.
        if self._is_too_much(method, waited_s):
            self._waiting.end()
            return self._refusals.handler(method, handler_call_details.invocation_metadata)
        # 3. Admitted.
        self._in_progress += 1
        return _until_end(await continuation(handler_call_details), self._end)

    def _is_too_much(self, method: str, waited_s: float) -> bool:
        if method.endswith(_READ):
            return self._in_progress >= self._limit * _SHARE_WITH_READS
        if self._in_progress >= self._limit:
            return True
        if waited_s <= self._max_delay_s:
            return False
        self._late += 1
        return self._late % _LATE_FOR_EACH_SERVED != 0

    def _end(self) -> None:
        self._in_progress -= 1
        self._waiting.end()


def _until_end(
    handler: "grpc.RpcMethodHandler[Any, Any] | None", end: Callable[[], None]
) -> "grpc.RpcMethodHandler[Any, Any] | None":
    """Return a handler like the given one that calls back when its call has ended."""
    if handler is None:
        end()
        return None
    behaviour = cast("Behaviour", handler.stream_unary or handler.stream_stream)

    async def until_end(requests: Any, context: Any) -> Any:
        try:
            return await behaviour(requests, context)
        finally:
            end()

    make = grpc.stream_stream_rpc_method_handler if handler.response_streaming else grpc.stream_unary_rpc_method_handler
    return make(
        until_end,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
