"""An operation of Zuora bound to a call: to its caller's rights, its key and the client that sends it."""

import dataclasses
from collections.abc import Callable
from typing import Final, TypeVar

from payorch_server.access.permission import Action, permit
from payorch_server.intents.intent import IntentOperation
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.call_notes import RouteNames
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, UpstreamEvidence, call_error
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.operation import RPCS
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.client import ZuoraClient

T = TypeVar("T")

_RANDOM_KEY_BYTES: Final = 20
# Recorded refusals that a new key can get past. Only what costs nothing may be sent under one.
_TRANSIENT: Final = frozenset({Reason.UPSTREAM_LOCKED, Reason.UPSTREAM_TEMPORARY})


class RoutedOperation(IntentOperation[T]):
    """What the intents of one call execute."""

    def __init__(
        self,
        operation: ZuoraOperation[T],
        *,
        rpc: str,
        key: IdempotencyKey,
        context: CallContext,
        zuora: ZuoraClient,
        entropy: Callable[[int], bytes],
        audit_required: bool = True,
    ) -> None:
        """Bind an operation to a call.

        Args:
            operation: What is to be done at Zuora.
            rpc: Name of the RPC.
            key: Of the intent.
            context: Of the call; its caller's rights are checked.
            zuora: Sends it.
            entropy: Returns so many random bytes.
            audit_required: Whether nothing that moves money is sent without its line in the audit.
        """
        self.moves_money = operation.moves_money
        self.needs_record = operation.needs_record
        self.is_disposable = operation.is_disposable
        self.result_type = operation.result_type
        self.guarded_token = operation.guarded_token
        self.stale_after_s = operation.stale_after_s
        self._operation = operation
        self._rpc = rpc
        self._key = key
        self._context = context
        self._zuora = zuora
        self._entropy = entropy
        self._needs_audit = audit_required and operation.moves_money
        self._audited = True
        self._permitted: list[tuple[str, str, tuple[str, ...]]] = []

    def permit(self, route: Route) -> None:
        """Refuse the caller if it may not do this on a route.

        A call checks several times: for the route that it resolved, and for the one that its intent is pinned to, which
        may be another one. Each tenant, entity and orgs is decided, and audited, once.

        Raises:
            CallError: A right is missing; NOT_SENT.
        """
        self._context.notes.route = RouteNames.of(route)
        target = (route.tenant, route.entity_id, route.org_ids)
        if target in self._permitted:
            return
        action = Action(
            rpc=self._rpc,
            moves_money=self._operation.moves_money,
            raw_card_data=self._operation.raw_card_data,
            multi_org=self._zuora.tenants.uses_multi_org(route),
        )
        self._audited &= permit(self._context, action, route)
        self._permitted.append(target)

    def route_exists(self, route: Route) -> bool:
        """Return whether a route that was pinned earlier is still configured."""
        return self._zuora.tenants.serves(route)

    def zuora_now_s(self, route: Route) -> float | None:
        """Return Zuora's time now, Unix time, as far as the tenant's answers have shown it."""
        return self._zuora.clocks.now_s(route.tenant)

    async def send(self, route: Route, context: CallContext, earlier: EarlierSends) -> ZuoraReply:
        """Build the call and send it under the intent's key.

        A transient refusal of what costs nothing is followed once by a random key.

        Raises:
            CallError: With the outcome of all attempts.
        """
        tenant = self._zuora.tenants.of(route)
        # 1. The kill switch counts at the last moment, also for intents that were opened before it was thrown.
        if self._rpc in tenant.switched_off:
            detail = f"{self._rpc} is switched off for {route.tenant}"
            raise call_error(Reason.SWITCHED_OFF, detail, tenant=route.tenant)
        # 2. Its permission has no line in the audit. What was sent before counts: the intent's record says it.
        if self._needs_audit and not self._audited:
            raise call_error(Reason.AUDIT_UNAVAILABLE, "the audit did not accept the line of the permission")
        # 3. Without the right time, the limit for resends guards nothing.
        if not RPCS[self._rpc].is_guarded_by_time:
            earlier = dataclasses.replace(earlier, first_send_s=None)
        elif self._zuora.clocks.too_large(route.tenant):
            detail = f"the clocks of {route.tenant} and this machine differ too much"
            raise call_error(Reason.CLOCK_OFFSET_TOO_LARGE, detail, tenant=route.tenant)
        # 4. All attempts under the intent's key.
        call = self._operation.build(route, tenant)
        try:
            return await self._zuora.execute(call, route=route, context=context, key=self._key, earlier=earlier)
        except CallError as error:
            if not self._operation.is_disposable or error.failure.reason not in _TRANSIENT:
                raise
            refused = error
        # 5. Zuora would only repeat the refusal it has stored under that key.
        fresh = IdempotencyKey(f"po1-{self._entropy(_RANDOM_KEY_BYTES).hex()}")
        try:
            return await self._zuora.execute(call, route=route, context=context, key=fresh)
        except CallError as error:
            # 5. Nothing was sent under the new key, so the refusal is how the intent ended.
            if error.verdict.outcome is Outcome.NOT_SENT:
                raise refused from error
            raise

    def parse(self, reply: ZuoraReply) -> T:
        """Return the result in a successful reply.

        Raises:
            CallError: The reply lacks what it promises; UNKNOWN.
        """
        return self._operation.parse(reply)

    def ids_of(self, value: T) -> UpstreamEvidence:
        """Return the ids of what exists because of a result."""
        return self._operation.ids_of(value)
