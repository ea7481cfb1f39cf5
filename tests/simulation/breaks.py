"""Deliberately broken rules, each in a subclass of the part that keeps it: the simulation must notice every one."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from payorch_server.intents.executor import IntentExecutor, idempotency_key
from payorch_server.intents.intent import IntentExecution, IntentResult
from payorch_server.intents.intent_record import IntentRecord
from payorch_server.intents.ledger import IntentLedger
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, error_for
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.usecases.dispatcher import Dispatcher, Intent, ZuoraOperation
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.messages import ZuoraReply

from simulation.instance import Parts


class _TenantInKey(Dispatcher):
    def _key(self, intent: Intent, context: CallContext, route: Route) -> IdempotencyKey:
        namespace = f"{context.namespace}/{route.tenant}"
        return idempotency_key(namespace=namespace, rpc=intent.query.rpc, request_id=intent.request_id)


class _NewKeyAfterRefusal(Dispatcher):
    async def _execute(
        self, work: ZuoraOperation[Any], route: Route, context: CallContext, key: IdempotencyKey, earlier: EarlierSends
    ) -> ZuoraReply:
        return await super()._execute(dataclasses.replace(work, retry_with_new_key=True), route, context, key, earlier)


class _Forgetful(dict[str, Any]):
    def get(self, _key: str, default: Any = None) -> Any:
        """Know nothing of any flight."""
        return default


class _NoJoin(IntentExecutor):
    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._flights = _Forgetful()


class _NoLease(IntentLedger):
    def _leased_by_another(self, _record: IntentRecord) -> bool:
        return False


class _NoTimeGuard(IntentLedger):
    async def _refuse_too_old(self, _opening: IntentExecution[Any], _key: str) -> None:
        return

    def _refuse_expired(self, _record: IntentRecord) -> None:
        return


class _NoPinning(IntentExecutor):
    async def _send(self, opening: IntentExecution[Any], context: CallContext, held: Any) -> IntentResult[Any]:
        routed = dataclasses.replace(held.record, route=opening.route)
        return await super()._send(opening, context, dataclasses.replace(held, record=routed))


class _SafeOn99(ZuoraClient):
    async def execute(self, *call: Any, **about: Any) -> ZuoraReply:
        try:
            return await super().execute(*call, **about)
        except CallError as error:
            if error.failure.reason is not Reason.UPSTREAM_GATEWAY_FAILED:
                raise
            raise error_for(dataclasses.replace(error.failure, reason=Reason.UPSTREAM_TEMPORARY)) from error


BREAKS: Final[Mapping[str, Parts]] = {
    "tenant-in-key": Parts(dispatcher=_TenantInKey),
    "new-key-after-refusal": Parts(dispatcher=_NewKeyAfterRefusal),
    "no-join": Parts(intents=_NoJoin),
    "no-lease": Parts(records=_NoLease),
    "no-time-guard": Parts(records=_NoTimeGuard),
    "safe-on-99": Parts(zuora=_SafeOn99),
    "no-pinning": Parts(intents=_NoPinning),
}
"""By name: the parts of a service that breaks the rule of that name."""
