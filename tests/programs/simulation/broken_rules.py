"""Rules broken on purpose, each in a subclass of the part that keeps it: the simulation must notice every one."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from payorch_server.intents.claim import IntentClaim
from payorch_server.intents.executor import IntentExecutor, idempotency_key
from payorch_server.intents.intent import IntentRequest
from payorch_server.intents.intent_record import IntentRecord
from payorch_server.intents.ledger import IntentLedger
from payorch_server.intents.process_memory import ProcessMemory
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import NO_EARLIER_SENDS, EarlierSends
from payorch_server.model.errors import CallError, error_for
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.usecases.dispatcher import Dispatcher, Intent
from payorch_server.usecases.routed_operation import RoutedOperation
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.attempts import Attempts
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.clock_offset import ClockOffsets

from programs.simulation.instance import Parts


class _TenantInKey(Dispatcher):
    _routed_to: Route | CallError

    def _resolve(self, intent: Intent, context: CallContext) -> Route | CallError:
        self._routed_to = super()._resolve(intent, context)
        return self._routed_to

    def _key(self, intent: Intent, context: CallContext) -> IdempotencyKey:
        tenant = self._routed_to.tenant if isinstance(self._routed_to, Route) else ""
        namespace = f"{context.namespace}/{tenant}"
        return idempotency_key(namespace=namespace, rpc=intent.query.rpc, request_id=intent.request_id)


class _NewKeyAfterRefusal(Dispatcher):
    def _bind(self, operation: ZuoraOperation[Any], *call: Any) -> RoutedOperation[Any]:
        return super()._bind(dataclasses.replace(operation, is_disposable=True), *call)


class _Forgetful(dict[str, Any]):
    def get(self, _key: str, default: Any = None) -> Any:
        """Know of no execution."""
        return default


class _NoJoin(IntentExecutor):
    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._executions = _Forgetful()


class _NoLease(IntentLedger):
    def _is_leased_by_another(self, _record: IntentRecord) -> bool:
        return False


class _NoTimeGuard(IntentLedger):
    async def _refuse_too_old(self, _request: IntentRequest[Any]) -> None:
        return

    def _refuse_expired(self, _request: IntentRequest[Any], _record: IntentRecord) -> None:
        return


class _NoAgeCheck(ZuoraClient):
    async def execute(self, *call: Any, earlier: EarlierSends = NO_EARLIER_SENDS, **about: Any) -> ZuoraReply:
        return await super().execute(*call, earlier=dataclasses.replace(earlier, first_send_s=None), **about)


class _NoPinning(IntentLedger):
    async def claim_or_replay(self, request: IntentRequest[Any], *call: Any, **about: Any) -> Any:
        claim = await super().claim_or_replay(request, *call, **about)
        if isinstance(claim, IntentClaim) and isinstance(request.route, Route):
            claim.record = dataclasses.replace(claim.record, route=request.route)
        return claim


class _SafeOn99(ZuoraClient):
    async def execute(self, *call: Any, **about: Any) -> ZuoraReply:
        try:
            return await super().execute(*call, **about)
        except CallError as error:
            if error.failure.reason is not Reason.UPSTREAM_GATEWAY_FAILED:
                raise
            raise error_for(dataclasses.replace(error.failure, reason=Reason.UPSTREAM_TEMPORARY)) from error


class _WaitsToTheEnd(ZuoraClient):
    def _awaited_s(self, context: CallContext, attempts: Attempts) -> float:
        return super()._awaited_s(dataclasses.replace(context, waiting=None), attempts)


class _SendsWithoutCallers(ZuoraClient):
    def _time_to_send_s(self, context: CallContext, attempts: Attempts) -> float:
        return super()._time_to_send_s(dataclasses.replace(context, waiting=None), attempts)


class _RefusesBy4xx(ZuoraClient):
    """A client that believes every 4xx of one kind of failure."""

    reason: Reason

    async def _exchange(self, *attempt: Any) -> Any:
        answer, payload, error = await super()._exchange(*attempt)
        is_4xx = answer is not None and 400 <= answer.status < 500
        if error is not None and is_4xx and error.failure.reason is self.reason:
            error = error_for(dataclasses.replace(error.failure, reason=Reason.UPSTREAM_REQUEST_REFUSED))
        return answer, payload, error


class _Late4xxRefuses(_RefusesBy4xx):
    reason = Reason.UPSTREAM_EDGE_FAILED


class _UnreadableRefuses(_RefusesBy4xx):
    reason = Reason.UPSTREAM_ANSWER_UNREADABLE


class _OwnClock(ClockOffsets):
    def note(self, *_answer: Any, **_about: Any) -> None:
        """Learn nothing of Zuora's clock."""


class _UnrecordedMethods(Dispatcher):
    def _bind(self, operation: ZuoraOperation[Any], *call: Any) -> RoutedOperation[Any]:
        needs_record = operation.needs_record and operation.moves_money
        return super()._bind(dataclasses.replace(operation, needs_record=needs_record), *call)


class _NothingRemembered(ProcessMemory):
    def note_sent(self, *_intent: Any) -> None:
        """Remember nothing."""


class _NoMemory(IntentLedger):
    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.memory = _NothingRemembered()


class _RetriesAreNew(BoundaryInterceptor):
    def _open(self, method: str, context: Any) -> Any:
        call = super()._open(method, context)
        call.notes.sent_before = False
        return call


class _ClaimWithoutDoubt(IntentClaim[Any]):
    def _error_for_callers(self, error: CallError) -> CallError:
        return error


class _NotSentInDoubt(IntentLedger):
    def _claim(self, *claimed: Any) -> IntentClaim[Any]:
        claim = super()._claim(*claimed)
        claim.__class__ = _ClaimWithoutDoubt
        return claim


BROKEN_RULES: Final[Mapping[str, Parts]] = {
    "tenant-in-key": Parts(dispatcher=_TenantInKey),
    "new-key-after-refusal": Parts(dispatcher=_NewKeyAfterRefusal),
    "no-join": Parts(executor=_NoJoin),
    "no-lease": Parts(ledger=_NoLease),
    "no-time-guard": Parts(ledger=_NoTimeGuard, zuora=_NoAgeCheck),
    "safe-on-99": Parts(zuora=_SafeOn99),
    "no-pinning": Parts(ledger=_NoPinning),
    "waits-to-the-end": Parts(zuora=_WaitsToTheEnd),
    "sends-without-callers": Parts(zuora=_SendsWithoutCallers),
    "late-4xx-refuses": Parts(zuora=_Late4xxRefuses),
    "unreadable-refuses": Parts(zuora=_UnreadableRefuses),
    "trusts-own-clock": Parts(clocks=_OwnClock),
    "unrecorded-methods": Parts(dispatcher=_UnrecordedMethods),
    "no-memory": Parts(ledger=_NoMemory),
    "retries-are-new": Parts(boundary=_RetriesAreNew),
    "not-sent-in-doubt": Parts(ledger=_NotSentInDoubt),
}
"""By name: the parts of a service that breaks the rule of that name."""
