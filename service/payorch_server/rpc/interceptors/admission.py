"""Refuses calls beyond max_calls_in_progress before doing any work."""

from typing import Any

import grpc

from payorch_server.model.errors import call_error
from payorch_server.model.outcome import Reason
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor
from payorch_server.rpc.settings import GrpcSettings


class AdmissionInterceptor(UnaryInterceptor):
    """Counts the calls to our methods that are in progress, and refuses those beyond the limit."""

    def __init__(self, settings: GrpcSettings) -> None:
        self._limit = settings.max_calls_in_progress
        self._in_progress = 0

    def __repr__(self) -> str:
        return f"AdmissionInterceptor({self._in_progress} of {self._limit})"

    @property
    def in_progress(self) -> int:
        """How many calls are in progress."""
        return self._in_progress

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:  # noqa: ARG002 - the same for every method
        """Return the wrapped behaviour of a method."""

        async def admit(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            if self._in_progress >= self._limit:
                raise call_error(Reason.OVERLOADED, f"{self._in_progress} calls are in progress")
            self._in_progress += 1
            try:
                return await behaviour(request, context)
            finally:
                self._in_progress -= 1

        return admit
