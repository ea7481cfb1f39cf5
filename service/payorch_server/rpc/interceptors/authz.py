"""Whether the caller may use the RPC at all; what it may do there is decided after routing."""

from typing import Any, cast

import grpc

from payorch_server.orchestration.permission import permit_rpc
from payorch_server.rpc.current import current
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours, with_behaviour


class AuthzInterceptor(grpc.aio.ServerInterceptor):
    """Refuses callers that may not use an RPC."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handlers of our methods."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or not is_ours(method):
            return handler
        return with_behaviour(handler, _permitted(cast("Behaviour", handler.unary_unary), method.rpartition("/")[2]))


def _permitted(behaviour: Behaviour, rpc: str) -> Behaviour:
    async def permitted(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        permit_rpc(current().context, rpc)
        return await behaviour(request, context)

    return permitted
