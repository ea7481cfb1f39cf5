"""One execution of a validation: it moves no money, has no id of Zuora's, and is remembered for a minute."""

import asyncio
from datetime import UTC
from typing import Final

import structlog

from payorch_server.store.port import VERSION_BYTES, StoreUnavailable
from payorch_server.upc.answers import Answer, HubAnswer, Situation, answer_to, situation_of
from payorch_server.upc.gateway_outcome import CallFacts, GatewayDescription, GatewayOutcome, NoOutcome, NotSent
from payorch_server.upc.gateway_port import Gateway
from payorch_server.upc.hub_ledger import HubLedger, RecordedAnswer
from payorch_server.upc.hub_parts import CALL_MARGIN_S, REQUEST_LIMIT_S, HubCallNotes, HubParts
from payorch_server.upc.hub_record import (
    HubRecord,
    RecordUnreadable,
    answer_key,
    decode_hub_record,
    encode_hub_record,
    end_of,
    record_key,
    seal_answer,
    validation_fingerprint,
)
from payorch_server.upc.request import HubRequest, Operation, validation_key

_LOG: Final = structlog.get_logger("payorch.upc")
_LEASE_S: Final = REQUEST_LIMIT_S + 5.0
_APPROVAL_KEPT_S: Final = 60.0


class ValidationExecution:
    """One execution; concurrent sends of the same validation join it, an approval is replayed, a refusal never."""

    def __init__(
        self,
        request: HubRequest,
        gateway: Gateway,
        *,
        parts: HubParts,
        ledger: HubLedger,
        deadline_s: float,
    ) -> None:
        """Prepare an execution.

        Args:
            request: A validation.
            gateway: That the settings name for it.
            parts: Of the hub.
            ledger: Of the hub, whose records it shares.
            deadline_s: Absolute, on the monotonic clock; when the answer is due.
        """
        self.request = request
        self.key = f"validation-{validation_fingerprint(request, parts.keyring, gateway=gateway.name)}"
        self.notes = HubCallNotes(gateway=gateway.name, attempt=1)
        self.answered: asyncio.Future[HubAnswer] = asyncio.get_running_loop().create_future()
        """The answer; the execution may still be recording it."""
        self._gateway = gateway
        self._parts = parts
        self._ledger = ledger
        self._call_until_s = deadline_s - (REQUEST_LIMIT_S - gateway.settings.limit_s) - CALL_MARGIN_S
        self._nonce = parts.entropy(16).hex()
        self._version = int.from_bytes(parts.entropy(VERSION_BYTES)) + 1

    def is_same(self, _other: object) -> bool:
        """Return True: what may differ between sends is part of the key."""
        return True

    async def run(self) -> None:
        """Execute the validation; `answered` is done afterwards, unless the hub has a defect."""
        try:
            recorded = await self._claim()
        except (StoreUnavailable, RecordUnreadable) as error:
            _LOG.warning("upc_store_unavailable", key=self.key, detail=str(error))
            self.answered.set_result(answer_to(Situation.STORE_UNAVAILABLE, in_doubt=False))
            return
        if recorded is not None:
            self.notes.replayed = True
            self.answered.set_result(answer_to(recorded.situation, in_doubt=False, outcome=recorded.outcome))
            return
        situation, outcome = await self._call()
        answer = answer_to(situation, in_doubt=False, outcome=outcome)
        self.answered.set_result(answer)
        await self._record(answer)

    async def _claim(self) -> RecordedAnswer | None:
        """Claim the validation, or return its recorded end."""
        polls = 0
        while True:
            now = self._parts.clock.now().timestamp()
            fresh = HubRecord(self._nonce, now + _LEASE_S, now, now)
            stored = await self._parts.store.put_if_absent(
                record_key(self.key), encode_hub_record(fresh), ttl_s=_LEASE_S, version=self._version
            )
            # 1. It is this execution's.
            if stored is None:
                return None
            record = decode_hub_record(stored.value)
            if record.end is not None:
                return await self._ledger.replay(self.key, record)
            # 2. Another replica executes it; if that one crashed, its record is gone after its lease.
            if self._parts.clock.monotonic() >= self._call_until_s:
                return RecordedAnswer(Situation.STILL_RUNNING, None)
            await self._ledger.wait_before_poll(polls)
            polls += 1

    async def _call(self) -> tuple[Situation, GatewayOutcome | None]:
        description = await self._gateway.describe(deadline_s=self._call_until_s)
        if not isinstance(description, GatewayDescription):
            return Situation.NOT_CONNECTED, None
        if Operation.VALIDATE not in description.operations:
            return Situation.NOT_OFFERED, None
        facts = CallFacts(
            validation_key(tenant_id=self.request.tenant_id, nonce=self._nonce),
            attempt=1,
            may_be_repeated=False,
            first_send=self._parts.clock.now().astimezone(UTC),
        )
        ended = await self._gateway.call(self.request, facts, deadline_s=self._call_until_s)
        if isinstance(ended, NotSent):
            return Situation.NOT_CONNECTED, None
        if isinstance(ended, NoOutcome):
            return Situation.NO_OUTCOME, None
        return situation_of(ended.result), ended

    async def _record(self, answer: HubAnswer) -> None:
        """Keep an approval for a minute, so that a send whose answer was lost hears it again; forget anything else."""
        store, key = self._parts.store, record_key(self.key)
        try:
            if answer.answer is not Answer.APPROVED or answer.outcome is None:
                await store.compare_and_delete(key, version=self._version)
                return
            place = answer_key(self.key, self._nonce)
            sealed = seal_answer(answer.outcome, self._parts.keyring, place=place)
            if sealed is not None:
                await store.put_if_absent(place, sealed, ttl_s=_APPROVAL_KEPT_S)
            now = self._parts.clock.now().timestamp()
            end = end_of(answer.situation.name, answer.outcome, ended_at_s=now)
            record = HubRecord(self._nonce, 0.0, now, now, gateway=self._gateway.name, end=end)
            await store.compare_and_set(key, encode_hub_record(record), version=self._version, ttl_s=_APPROVAL_KEPT_S)
        except StoreUnavailable as error:
            # It costs a second call at most, and a validation moves no money.
            _LOG.warning("upc_end_not_recorded", key=self.key, detail=str(error))
