"""Who calls: the identity that somebody vouches for becomes a caller of the access policy."""

import dataclasses
from typing import Any, cast

import grpc

from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.errors import refuse
from payorch_server.model.outcome import Reason
from payorch_server.rpc.current import current, set_current
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours, with_behaviour


class AuthnInterceptor(grpc.aio.ServerInterceptor):
    """Identifies the caller of every call of ours."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handlers of our methods."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or not is_ours(handler_call_details.method):
            return handler
        return with_behaviour(handler, self._identified(cast("Behaviour", handler.unary_unary)))

    def _identified(self, behaviour: Behaviour) -> Behaviour:
        async def identified(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            now = current()
            identity = ANONYMOUS
            caller = now.policy.access.caller(identity)
            if caller is None:
                raise refuse(Reason.CALLER_UNAUTHENTICATED, f"{identity} is not in the access policy")
            set_current(dataclasses.replace(now, context=dataclasses.replace(now.context, caller=caller)))
            return await behaviour(request, context)

        return identified
