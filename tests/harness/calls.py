"""Calls that must fail."""

from collections.abc import Awaitable

import grpc
from payorch import CallError


async def refusal(call: Awaitable[object]) -> CallError:
    """Await a call that must fail, and return its error decoded."""
    try:
        answer = await call
    except grpc.RpcError as error:
        return CallError.from_rpc_error(error)
    raise AssertionError(f"The call succeeded with {answer!r}.")
