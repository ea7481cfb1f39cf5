"""Wraps the handlers of our unary methods."""

import abc
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]
OURS = "/payorch."


def is_ours(method: str) -> bool:
    """Return whether a method is ours; health and reflection pass through unchanged."""
    return method.startswith(OURS)


def with_behaviour(
    handler: "grpc.RpcMethodHandler[Any, Any]",
    behaviour: Behaviour,
    *,
    request_deserializer: Callable[[bytes], Any] | None = None,
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler like the given one with another behaviour, and another deserializer if one is given."""
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request_deserializer or handler.request_deserializer,
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
        if handler is None or handler.unary_unary is None or not is_ours(method):
            return handler
        return with_behaviour(handler, self.around(cast("Behaviour", handler.unary_unary), method[1:]))
