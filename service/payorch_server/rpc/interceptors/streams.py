"""Limits the streams that are no calls of ours, such as watches of the health, and ends them in a drain."""

import asyncio
import inspect
from collections import Counter
from typing import Any, Final, cast

import grpc

from payorch_server.rpc.interceptors._unary import Continuation

_MAX_PER_CONNECTION: Final = 10
_LAST_MESSAGES_S: Final = 0.2


class StreamsInterceptor(grpc.aio.ServerInterceptor):
    """Counts the streams of health and reflection."""

    def __init__(self, *, limit: int) -> None:
        """Make an interceptor.

        Args:
            limit: How many such streams there may be on all connections; on one, it is at most 10.
        """
        self._limit = limit
        self._by_peer: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._draining = False

    def __repr__(self) -> str:
        return f"StreamsInterceptor({len(self._tasks)} of {self._limit})"

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._tasks)

    def drain(self) -> None:
        """Refuse further streams, and end the others as soon as watchers have been sent what they watch for."""
        self._draining = True
        asyncio.get_running_loop().call_later(_LAST_MESSAGES_S, self._end)

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handlers with streams of responses; no method of ours has one."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        return grpc.stream_stream_rpc_method_handler(
            self._counted(handler.stream_stream),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _counted(self, behaviour: Any) -> Any:
        async def counted(requests: Any, context: Any) -> None:
            peer = context.peer()
            if self._draining:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "The service is stopping.")
            if len(self._tasks) >= self._limit or self._by_peer[peer] >= _MAX_PER_CONNECTION:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "The service is at its limit of such streams.")
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._tasks.add(task)
            self._by_peer[peer] += 1
            try:
                await _run(behaviour, requests, context)
            except asyncio.CancelledError:
                # The client's own cancellation needs no answer.
                if not self._draining:
                    raise
                task.uncancel()
                await context.abort(grpc.StatusCode.UNAVAILABLE, "The service is stopping.")
            finally:
                self._tasks.discard(task)
                self._by_peer[peer] -= 1
                self._by_peer += Counter()  # drops what is zero

        return counted


async def _run(behaviour: Any, requests: Any, context: Any) -> None:
    if inspect.isasyncgenfunction(behaviour):
        async for response in behaviour(requests, context):
            await context.write(response)
    else:
        await behaviour(requests, context)
