"""Refuses calls before they cost anything: beyond max_calls_in_progress, or under overload."""

from collections.abc import Callable
from typing import Any, Final, cast

import grpc

from payorch_server.rpc.backlog import Backlog
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours
from payorch_server.rpc.overload import OverloadControl
from payorch_server.rpc.refusals import Refusals
from payorch_server.rpc.settings import GrpcSettings

# A read is cheap, and callers whose calls were refused use it to look up the outcome.
_READ: Final = "/GetIntent"
_SHARE_WITH_READS: Final = 1.1


class AdmissionInterceptor(grpc.aio.ServerInterceptor):
    """Counts the calls in progress, and refuses calls beyond the limit or under overload."""

    def __init__(
        self, settings: GrpcSettings, *, refusals: Refusals, backlog: Backlog, overload: OverloadControl
    ) -> None:
        """Make the outermost interceptor of a server.

        Args:
            settings: Limits.
            refusals: Make the handlers of refused calls.
            backlog: The calls of the server that wait for their start.
            overload: Decides which of them are too many.
        """
        self._limit = settings.max_calls_in_progress
        self._refusals = refusals
        self._backlog = backlog
        self._overload = overload
        self._in_progress = 0

    def __repr__(self) -> str:
        return f"AdmissionInterceptor({self._in_progress} of {self._limit}, {self._backlog!r})"

    @property
    def in_progress(self) -> int:
        """How many calls of ours have started and not ended."""
        return self._in_progress

    @property
    def backlog_age_s(self) -> float:
        """How long the backlog has existed without a pause, in seconds."""
        return self._backlog.age_s

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Refuse a call, or count it until it ends."""
        method = handler_call_details.method
        self._backlog.note_start()
        self._overload.note_start()
        # 1. Health and reflection have limits of their own.
        if not is_ours(method):
            return _until_end(await continuation(handler_call_details), self._overload.note_end)
        # 2. Too many calls are in progress or waiting.
        if self._refuses(method):
            self._overload.note_end()
            return self._refusals.handler(method, handler_call_details.invocation_metadata)
        # 3. Admitted.
        self._in_progress += 1
        return _until_end(await continuation(handler_call_details), self._end)

    def _refuses(self, method: str) -> bool:
        if method.endswith(_READ):
            return self._in_progress >= self._limit * _SHARE_WITH_READS
        return self._in_progress >= self._limit or self._overload.refuses_next()

    def _end(self) -> None:
        self._in_progress -= 1
        self._overload.note_end()


def _until_end(
    handler: "grpc.RpcMethodHandler[Any, Any] | None", end: Callable[[], None]
) -> "grpc.RpcMethodHandler[Any, Any] | None":
    """Return a handler like the given one that calls `end` when its call has ended."""
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
