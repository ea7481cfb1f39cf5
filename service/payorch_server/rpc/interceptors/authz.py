"""Whether the caller may use the RPC at all; what it may do there is decided after routing."""

from typing import Any

import grpc

from payorch_server.access.permission import permit_rpc
from payorch_server.rpc.current import active_call
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor


class AuthzInterceptor(UnaryInterceptor):
    """Refuses callers that may not use an RPC."""

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return what a method does with this around it."""
        rpc = method.rpartition("/")[2]

        async def permitted(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            permit_rpc(active_call().context, rpc)
            return await behaviour(request, context)

        return permitted
