"""Wrapping the handlers of unary methods."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]
OURS = "/payorch."


def is_ours(method: str) -> bool:
    """Tell our methods from health and reflection, which pass through untouched."""
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
