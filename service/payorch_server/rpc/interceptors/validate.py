from typing import Any, cast

import grpc

from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours, with_behaviour
from payorch_server.rpc.validation import Validator


class ValidateInterceptor(grpc.aio.ServerInterceptor):
    """Refuses requests that break rules before anything of ours sees them."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handlers of our methods."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or not is_ours(handler_call_details.method):
            return handler
        return with_behaviour(handler, self._checked(cast("Behaviour", handler.unary_unary)))

    def _checked(self, behaviour: Behaviour) -> Behaviour:
        async def checked(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            self._validator.check(request)
            return await behaviour(request, context)

        return checked
