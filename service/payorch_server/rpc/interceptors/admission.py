"""Refuses calls before they cost anything: beyond max_calls_in_progress, and when too many wait."""

from collections.abc import Callable
from typing import Any, Final, cast

import grpc

from payorch_server.rpc.backlog import Backlog
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours
from payorch_server.rpc.refusals import Refusals
from payorch_server.rpc.settings import GrpcSettings

# A read is cheap, and a caller that was refused asks what became of its calls.
_READ: Final = "/GetIntent"
_SHARE_WITH_READS: Final = 1.1
# The part of the time that refusals may take. A refusal costs about a tenth of a call, so this refuses twice as many
# calls as the service can serve, and serves four fifths of them; gRPC itself ends what there is no time to refuse.
_REFUSING_SHARE: Final = 0.2


class AdmissionInterceptor(grpc.aio.ServerInterceptor):
    """Counts the calls that are in progress, and refuses those that are too many or too late."""

    def __init__(self, settings: GrpcSettings, *, refusals: Refusals, backlog: Backlog) -> None:
        """Make the outermost interceptor of a server.

        Args:
            settings: Limits.
            refusals: Make the handlers of refused calls.
            backlog: The calls of the server that wait for their start.
        """
        self._limit = settings.max_calls_in_progress
        self._max_delay_s = settings.max_start_delay_s
        self._refusals = refusals
        self._backlog = backlog
        self._in_progress = 0

    def __repr__(self) -> str:
        return f"AdmissionInterceptor({self._in_progress} of {self._limit}, {self._backlog!r})"

    @property
    def in_progress(self) -> int:
        """How many calls of ours have started and not ended."""
        return self._in_progress

    @property
    def backlog_age_s(self) -> float:
        """How long calls have waited for their start without a pause, in seconds."""
        return self._backlog.age_s

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Refuse a call, or count it until it ends."""
        method = handler_call_details.method
        self._backlog.note_start()
        # 1. Health and reflection have limits of their own.
        if not is_ours(method):
            return await continuation(handler_call_details)
        # 2. Too many are in progress or wait.
        if self._is_too_much(method):
            return self._refusals.handler(method, handler_call_details.invocation_metadata)
        # 3. Admitted.
        self._in_progress += 1
        return _until_end(await continuation(handler_call_details), self._end)

    def _is_too_much(self, method: str) -> bool:
        if method.endswith(_READ):
            return self._in_progress >= self._limit * _SHARE_WITH_READS
        if self._in_progress >= self._limit:
            return True
        # Beyond the limit, each span of that length begins with refusals: those that have waited longest are next.
        spans = self._backlog.age_s / self._max_delay_s
        return spans > 1 and spans % 1 < _REFUSING_SHARE

    def _end(self) -> None:
        self._in_progress -= 1


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
