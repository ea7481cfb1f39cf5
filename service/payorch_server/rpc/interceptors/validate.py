from typing import Any

import grpc

from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor
from payorch_server.rpc.validation import Validator


class ValidateInterceptor(UnaryInterceptor):
    """Refuses requests that break rules, before they are decoded."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:  # noqa: ARG002 - the same for every method
        """Return the wrapped behaviour of a method."""

        async def validate(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            self._validator.check(request)
            return await behaviour(request, context)

        return validate
