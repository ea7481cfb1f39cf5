"""Checks the caller's right to the RPC; rights on the route are checked after routing."""

from typing import Any

import grpc

from payorch_server.access.permission import permit_rpc
from payorch_server.rpc.current import active_call
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor


class AuthzInterceptor(UnaryInterceptor):
    """Refuses callers without the right to an RPC."""

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return the wrapped behaviour of a method."""
        rpc = method.rpartition("/")[2]

        async def authorize(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            permit_rpc(active_call().context, rpc)
            return await behaviour(request, context)

        return authorize
