"""Wraps the handlers of our methods."""

import abc
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]
"""What serves a call: before its message is received, the first argument is not used."""
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]
OURS = "/payorch."


def is_ours(method: str) -> bool:
    """Return whether a method is ours; health and reflection pass through unchanged."""
    return method.startswith(OURS)


def behaviour_of(handler: "grpc.RpcMethodHandler[Any, Any]") -> Behaviour | None:
    """Return the behaviour of a handler with one response; None for other handlers."""
    return cast("Behaviour | None", handler.stream_unary or handler.unary_unary)


def with_behaviour(
    handler: "grpc.RpcMethodHandler[Any, Any]", behaviour: Behaviour
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler like the given one with another behaviour."""
    make = grpc.stream_unary_rpc_method_handler if handler.stream_unary else grpc.unary_unary_rpc_method_handler
    return make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


class UnaryInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the behaviour of each of our methods; others pass through unchanged."""

    @abc.abstractmethod
    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return the wrapped behaviour of a method.

        Args:
            behaviour: The behaviour to wrap.
            method: Its full name, such as `payorch.v1.DiagnosticsService/GetCall`.
        """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handlers of our methods."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        behaviour = behaviour_of(handler) if handler else None
        if handler is None or behaviour is None or not is_ours(method):
            return handler
        return with_behaviour(handler, self.around(behaviour, method[1:]))
