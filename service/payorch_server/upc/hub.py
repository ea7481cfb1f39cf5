"""The hub without HTTP: one request of Zuora's in, one answer out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import structlog

from payorch_server.telemetry.logging import where
from payorch_server.upc.answers import HubAnswer, Situation, answer_to
from payorch_server.upc.gateway_port import Gateway
from payorch_server.upc.hub_execution import HubExecution
from payorch_server.upc.hub_ledger import ANSWER_KEPT_S, HubLedger
from payorch_server.upc.hub_parts import HubCallNotes, HubParts
from payorch_server.upc.hub_refusal import HubRefusals
from payorch_server.upc.hub_validation import ValidationExecution
from payorch_server.upc.request import HubRequest, UnusableRequest, Validation, idempotency_key
from payorch_server.upc.settings import HubSettings

_LOG: Final = structlog.get_logger("payorch.upc")

_Execution: TypeAlias = HubExecution | ValidationExecution


class Hub:
    """Answers Zuora's requests: all sends of one payment or refund share one execution at a time."""

    def __init__(self, parts: HubParts, hubs: Callable[[], Mapping[str, HubSettings]]) -> None:
        """Make a hub.

        Args:
            parts: Its parts.
            hubs: Returns the endpoints in force, by name.
        """
        self._parts = parts
        self._hubs = hubs
        self._ledger = _ledger(parts, keep_s=parts.keep_s)
        # Anyone may send wrong credentials, so that these records live no longer than resends may follow.
        of_strangers = _ledger(parts, keep_s=min(ANSWER_KEPT_S, parts.keep_s))
        of_strangers.called = self._ledger.called
        self._refusals = HubRefusals(self._ledger)
        self._refusals_of_strangers = HubRefusals(of_strangers)
        self._executions: dict[str, _Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[str] = Counter()
        self._is_draining = False

    def __repr__(self) -> str:
        return f"Hub({len(self._tasks)} executions)"

    async def answer(
        self, hub: str, request: HubRequest | UnusableRequest, *, deadline_s: float, notes: HubCallNotes
    ) -> HubAnswer:
        """Answer a request that came with the right credentials.

        Args:
            hub: Name of the endpoint.
            request: The request, decoded as far as possible.
            deadline_s: When the answer is due, absolute, on the monotonic clock.
            notes: Filled with what is reported of the request.
        """
        settings = self._hubs().get(hub)
        if settings is not None and self._in_flight[hub] >= settings.max_in_flight:
            return answer_to(Situation.OVERLOADED, in_doubt=False)
        self._in_flight[hub] += 1
        try:
            if isinstance(request, UnusableRequest):
                notes.key = idempotency_key(request.names[0]) if request.names else ""
                answer = await self._refusals.refuse(request, Situation.REQUEST_UNUSABLE)
            else:
                answer = await self._execute_or_join(hub, settings, request, deadline_s=deadline_s, notes=notes)
        finally:
            self._in_flight[hub] -= 1
        if answer.needs_people:
            operation = request.operation if isinstance(request, HubRequest) else ""
            self._parts.observer.needs_people(
                answer.situation, key=notes.key, operation=operation, gateway=notes.gateway
            )
        return answer

    async def answer_refused(
        self, request: UnusableRequest, *, notes: HubCallNotes, has_credentials: bool = True
    ) -> HubAnswer:
        """Answer a request that came with wrong credentials or none, of which no more than the id was read."""
        notes.key = idempotency_key(request.names[0]) if request.names else ""
        if not has_credentials:
            return await self._refusals_of_strangers.challenge(request)
        return await self._refusals_of_strangers.refuse(request, Situation.CREDENTIALS_REFUSED)

    def drain(self) -> None:
        """Begin no more executions; those that run continue."""
        self._is_draining = True

    async def wait_for_executions(self, *, timeout_s: float) -> int:
        """Wait until all executions have recorded their ends; return how many have not within the time."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        return len(self._tasks)

    async def _execute_or_join(
        self,
        hub: str,
        settings: HubSettings | None,
        request: HubRequest,
        *,
        deadline_s: float,
        notes: HubCallNotes,
    ) -> HubAnswer:
        gateway = self._parts.directory.find(
            hub=hub, gateway_name=request.gateway_name, tenant_id=request.tenant_id, method_type=request.method.type
        )
        refusal = _refusal(settings, gateway, request)
        # 1. A validation that no gateway takes.
        if isinstance(request.subject, Validation) and (refusal is not None or gateway is None):
            return answer_to(refusal or Situation.GATEWAY_UNKNOWN, in_doubt=False)
        # 2. Another send of it is being executed here.
        fresh = self._new_execution(request, gateway, refusal, deadline_s=deadline_s)
        execution = self._executions.get(fresh.key)
        if isinstance(execution, ValidationExecution) and execution.answered.done():
            execution = None  # No refusal is given twice, and an approval is read from its record.
        notes.key, notes.joined = fresh.key, execution is not None
        if execution is not None and not execution.is_same(fresh):
            return answer_to(Situation.REQUEST_CHANGED, in_doubt=True)
        # 3. None is.
        if execution is None:
            if self._is_draining:
                return answer_to(Situation.DRAINING, in_doubt=False)
            if refusal is None and gateway is not None and gateway.in_flight >= gateway.settings.max_in_flight:
                return answer_to(Situation.OVERLOADED, in_doubt=False)
            execution = fresh
            self._begin(execution)
        # 4. It continues when the time of this send is over.
        left_s = deadline_s - self._parts.clock.monotonic()
        try:
            return await self._parts.deadlines.result_of(execution.answered, within_s=left_s)
        except TimeoutError:
            return answer_to(Situation.OUT_OF_TIME, in_doubt=True)
        finally:
            ran = execution.notes
            notes.gateway, notes.attempt = ran.gateway, ran.attempt
            notes.in_doubt, notes.replayed = ran.in_doubt, ran.replayed

    def _new_execution(
        self, request: HubRequest, gateway: Gateway | None, refusal: Situation | None, *, deadline_s: float
    ) -> _Execution:
        if isinstance(request.subject, Validation) and gateway is not None:
            return ValidationExecution(request, gateway, parts=self._parts, ledger=self._ledger, deadline_s=deadline_s)
        return HubExecution(request, gateway, refusal, parts=self._parts, ledger=self._ledger, deadline_s=deadline_s)

    def _begin(self, execution: _Execution) -> None:
        task = self._parts.tasks.start(execution.run(), name="upc-execution")
        self._executions[execution.key] = execution
        self._tasks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._executions.get(execution.key) is execution:
                del self._executions[execution.key]
            if not execution.answered.done():
                error = None if task.cancelled() else task.exception()
                situation = Situation.DEFECT if error else Situation.DRAINING
                if error:
                    _LOG.error("upc_execution_failed", key=execution.key, error=where(error))
                execution.answered.set_result(answer_to(situation, in_doubt=True))

        task.add_done_callback(end)


def _ledger(parts: HubParts, *, keep_s: float) -> HubLedger:
    return HubLedger(
        store=parts.store,
        keyring=parts.keyring,
        clock=parts.clock,
        uniform=parts.uniform,
        entropy=parts.entropy,
        keep_s=keep_s,
    )


def _refusal(settings: HubSettings | None, gateway: Gateway | None, request: HubRequest) -> Situation | None:
    """Return why the hub calls no gateway for a request, or None."""
    if settings is not None and request.tenant_id not in settings.tenants:
        return Situation.TENANT_UNKNOWN
    if settings is None or gateway is None:
        return Situation.GATEWAY_UNKNOWN
    return None if settings.enabled and gateway.settings.enabled else Situation.SWITCHED_OFF
