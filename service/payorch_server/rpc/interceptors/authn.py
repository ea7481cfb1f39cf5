"""Authenticates callers: the first identity that the access policy knows becomes the caller."""

from collections.abc import Sequence
from typing import Any, Final, cast

import grpc

from payorch_server.access.permission import deny_unauthenticated, deny_unknown
from payorch_server.model.caller import ANONYMOUS, Caller
from payorch_server.model.errors import CallError
from payorch_server.rpc.current import ActiveCall, active_call, set_active_call
from payorch_server.rpc.identity import IdentityResolver, KeyMissingError, peer_of
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor
from payorch_server.runtime.clock import Clock

KEY_WAIT_S: Final = 2.0
"""How long a call waits at most until the key of its token has been fetched."""


class AuthnInterceptor(UnaryInterceptor):
    """Identifies the caller of each of our calls."""

    def __init__(self, *, identities: IdentityResolver, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return the wrapped behaviour of a method."""
        rpc = method.rpartition("/")[2]

        async def identify(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            call = active_call()
            caller = _find_caller(call, await self._resolve(call, rpc, context), rpc)
            set_active_call(ActiveCall(call.context.of_caller(caller), call.policy))
            return await behaviour(request, context)

        return identify

    async def _resolve(self, call: ActiveCall, rpc: str, context: Any) -> Sequence[str]:
        metadata = cast("Sequence[tuple[str, str | bytes]]", tuple(context.invocation_metadata() or ()))
        peer = peer_of(context)
        try:
            try:
                return self._identities.resolve(peer, metadata, self._clock.now())
            except KeyMissingError as missing:
                # At most half of the remaining time, so that the caller still receives the reason.
                left_s = (call.context.deadline_s - self._clock.monotonic()) / 2
                await self._identities.renew_keys(missing.issuer, within_s=min(KEY_WAIT_S, left_s))
            return self._identities.resolve(peer, metadata, self._clock.now())
        except CallError as error:
            raise deny_unauthenticated(call.context, rpc, error) from None


def _find_caller(call: ActiveCall, identities: Sequence[str], rpc: str) -> Caller:
    """Return the caller of the first identity that the access policy knows."""
    for identity in identities:
        if caller := call.policy.access.caller(identity):
            return caller
    raise deny_unknown(call.context, rpc, "" if ANONYMOUS in identities else ", ".join(identities))
