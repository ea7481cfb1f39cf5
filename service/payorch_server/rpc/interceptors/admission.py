"""Whether one more call fits: a full house says so at once, before it costs anything."""

from typing import Any, cast

import grpc

from payorch_server.model.errors import refuse
from payorch_server.model.outcome import Reason
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours, with_behaviour


class AdmissionInterceptor(grpc.aio.ServerInterceptor):
    """Counts the calls of ours that are in progress, and refuses those beyond a limit."""

    def __init__(self, *, max_calls_in_progress: int) -> None:
        self._limit = max_calls_in_progress
        self._in_progress = 0

    def __repr__(self) -> str:
        return f"AdmissionInterceptor({self._in_progress} of {self._limit})"

    @property
    def in_progress(self) -> int:
        """How many calls are in progress."""
        return self._in_progress

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handlers of our methods."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or not is_ours(handler_call_details.method):
            return handler
        return with_behaviour(handler, self._admitted(cast("Behaviour", handler.unary_unary)))

    def _admitted(self, behaviour: Behaviour) -> Behaviour:
        async def admitted(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            if self._in_progress >= self._limit:
                raise refuse(Reason.OVERLOADED, f"{self._in_progress} calls are in progress")
            self._in_progress += 1
            try:
                return await behaviour(request, context)
            finally:
                self._in_progress -= 1

        return admitted
