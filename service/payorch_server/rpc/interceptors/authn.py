"""Who calls: the identity that somebody vouches for becomes a caller of the access policy."""

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import grpc

from payorch_server.access.permission import unauthenticated, unknown
from payorch_server.model.caller import ANONYMOUS, Caller
from payorch_server.model.errors import CallError
from payorch_server.rpc.current import ActiveCall, active_call, set_active_call
from payorch_server.rpc.identity import Identities, peer_of
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor
from payorch_server.runtime.clock import Clock


class AuthnInterceptor(UnaryInterceptor):
    """Identifies the caller of every call of ours."""

    def __init__(self, *, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return what a method does with this around it."""
        rpc = _name(method)

        async def identified(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            now = active_call()
            caller = _known(now, self._identities_of(now, rpc, context), rpc)
            set_active_call(dataclasses.replace(now, context=dataclasses.replace(now.context, caller=caller)))
            return await behaviour(request, context)

        return identified

    def _identities_of(self, now: ActiveCall, rpc: str, context: Any) -> Sequence[str]:
        metadata = cast("Sequence[tuple[str, str | bytes]]", tuple(context.invocation_metadata() or ()))
        try:
            return self._identities.of(peer_of(context), metadata, self._clock.now())
        except CallError as error:
            raise unauthenticated(now.context, rpc, error) from None


def _known(now: ActiveCall, identities: Sequence[str], rpc: str) -> Caller:
    """Return the caller of the first identity that the access policy knows."""
    for identity in identities:
        if caller := now.policy.access.caller(identity):
            return caller
    raise unknown(now.context, rpc, "" if ANONYMOUS in identities else ", ".join(identities))


def _name(method: str) -> str:
    return method.rpartition("/")[2]
