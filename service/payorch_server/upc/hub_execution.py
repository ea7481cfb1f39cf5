"""One execution of a payment or refund: claim it, call its gateway, record the end."""

import asyncio
import dataclasses
from typing import Final

import structlog

from payorch_server.store.port import StoredValue, StoreUnavailable
from payorch_server.upc.answers import MEAN_ERROR, Answer, HubAnswer, Situation, answer_to
from payorch_server.upc.called_requests import CalledRequest
from payorch_server.upc.gateway_conversation import GatewayConversation, Verdict
from payorch_server.upc.gateway_outcome import GatewayDescription, GatewayOutcome, NotSent
from payorch_server.upc.gateway_port import Gateway
from payorch_server.upc.hub_ledger import HubClaim, HubLedger
from payorch_server.upc.hub_parts import CALL_MARGIN_S, MIN_CALL_S, REQUEST_LIMIT_S, HubCallNotes, HubParts
from payorch_server.upc.hub_record import HubRecord, RecordUnreadable, decode_hub_record, fingerprint_of
from payorch_server.upc.request import HubRequest, idempotency_key

_LOG: Final = structlog.get_logger("payorch.upc")

_WRITE_PAUSE_S: Final = (0.1, 5.0)
_LAST_WRITES_S: Final = 10.0
"""How long before the end of its lease an execution stops writing its end."""


class HubExecution:
    """One execution. It belongs to the hub, not to Zuora's connection, and may outlast its answer."""

    def __init__(
        self,
        request: HubRequest,
        gateway: Gateway | None,
        refusal: Situation | None,
        *,
        parts: HubParts,
        ledger: HubLedger,
        deadline_s: float,
    ) -> None:
        """Prepare an execution.

        Args:
            request: A payment or refund.
            gateway: That the settings name for it now; None where there is none.
            refusal: Why the hub does not call a gateway for it; None where it may.
            parts: Of the hub.
            ledger: Of the hub.
            deadline_s: Absolute, on the monotonic clock; when the answer is due.
        """
        if request.name is None:
            raise ValueError("a validation has no record")
        self.request = request
        self.key = idempotency_key(request.name)
        self.notes = HubCallNotes(self.key)
        self.answered: asyncio.Future[HubAnswer] = asyncio.get_running_loop().create_future()
        """The answer; the execution may still be recording it."""
        self._gateway = gateway
        self._refusal = refusal
        self._parts = parts
        self._ledger = ledger
        self._clock = parts.clock
        limit_s = gateway.settings.limit_s if gateway else REQUEST_LIMIT_S
        self._call_until_s = deadline_s - (REQUEST_LIMIT_S - limit_s) - CALL_MARGIN_S
        keyring = parts.keyring
        self._fingerprint = fingerprint_of(request, keyring, key_id=keyring.key_ids[0])

    def is_same(self, other: object) -> bool:
        """Return whether another execution is of the same request, in all that must not change between sends."""
        return isinstance(other, HubExecution) and self._fingerprint == other._fingerprint  # noqa: SLF001 - its own class

    async def run(self) -> None:
        """Execute the request; `answered` is done afterwards, unless the hub has a defect."""
        try:
            claimed = await self._claim()
        except (StoreUnavailable, RecordUnreadable) as error:
            self._answer(self._answer_without_record(error))
        else:
            if isinstance(claimed, HubAnswer):
                self._answer(claimed)
            else:
                await self._execute(*claimed)

    def _answer_without_record(self, error: StoreUnavailable | RecordUnreadable) -> HubAnswer:
        if isinstance(error, StoreUnavailable) and not error.is_foreign:
            _LOG.warning("upc_store_unavailable", key=self.key, detail=str(error))
            return answer_to(Situation.STORE_UNAVAILABLE, in_doubt=False)
        _LOG.error("upc_record_unreadable", key=self.key, detail=str(error))
        return answer_to(Situation.RECORD_UNREADABLE, in_doubt=True)

    def _answer(self, answer: HubAnswer) -> None:
        if not self.answered.done():
            self.answered.set_result(answer)

    # --- the claim

    async def _claim(self) -> HubAnswer | tuple[HubClaim, GatewayDescription | NotSent | None]:
        """Return the right to execute the request, with what the gateway says of itself, or the answer at once."""
        description = await self._describe()
        polls = 0
        stored: HubClaim | StoredValue | None = None
        while True:
            # 1. New: it is recorded, and this execution holds it.
            stored = stored or await self._ledger.open(self.key, self._new_record(description))
            if isinstance(stored, HubClaim):
                return stored, description
            # 2. Recorded as another request, or with its end.
            record = decode_hub_record(stored.value)
            if answer := await self._recorded_answer(record):
                return answer
            # 3. Held by another replica: wait for its end.
            if self._ledger.is_leased(record):
                if self._clock.monotonic() >= self._call_until_s:
                    return answer_to(Situation.STILL_RUNNING, in_doubt=True)
                stored = await self._ledger.read_later(self.key, polls=polls)
                polls += 1
                continue
            # 4. In doubt, and its gateway cannot be asked.
            obstacle = self._pin(record)
            description = None if obstacle else await self._describe()
            if obstacle := obstacle or _obstacle(record, description):
                return answer_to(obstacle, in_doubt=True)
            # 5. Abandoned: take it over, unless another replica is faster.
            claim = await self._take_over(stored, record, self._new_record(description))
            if claim is not None:
                return claim, description
            stored = await self._ledger.read_later(self.key, polls=0)

    async def _recorded_answer(self, record: HubRecord) -> HubAnswer | None:
        """Return the answer that the record of the request gives, or None where it is open."""
        if record.key_id and not self._ledger.is_same_request(record, self.request):
            return answer_to(Situation.REQUEST_CHANGED, in_doubt=True)
        if record.end is None:
            return None
        recorded = await self._ledger.replay(self.key, record)
        self.notes.replayed, self.notes.gateway = True, record.gateway
        self._parts.observer.settled(self.key)
        answer = answer_to(recorded.situation, in_doubt=False, outcome=recorded.outcome)
        self._remember_error(answer, record)
        return answer

    async def _describe(self) -> GatewayDescription | NotSent | None:
        """Return what the gateway says of itself; None where it will not be called."""
        if self._gateway is None or self._refusal is not None:
            return None
        return await self._gateway.describe(deadline_s=self._call_until_s)

    def _new_record(self, description: GatewayDescription | NotSent | None) -> HubRecord:
        return self._ledger.new_record(
            self._fingerprint,
            gateway=self._gateway.name if self._gateway else "",
            description=description if isinstance(description, GatewayDescription) else None,
            left_s=self._left_s(),
        )

    def _pin(self, record: HubRecord) -> Situation | None:
        """Continue with the gateway of an open record; return why that is impossible, or None."""
        # 1. No gateway was called under it.
        if not record.described_as:
            return self._refusal if record.doubtful else None
        # 2. The settings have no gateway for it any more, or not the same.
        pinned = self._parts.directory.named(record.gateway)
        if pinned is None or self._refusal is Situation.GATEWAY_UNKNOWN:
            return Situation.GATEWAY_CHANGED
        # 3. The hub or the gateway is switched off.
        self._gateway = pinned
        return self._refusal or (None if pinned.settings.enabled else Situation.SWITCHED_OFF)

    async def _take_over(self, stored: StoredValue, record: HubRecord, fresh: HubRecord) -> HubClaim | None:
        if not record.described_as:
            # Its execution ended before it could call a gateway, so that this one chooses.
            record = dataclasses.replace(
                record,
                key_id=fresh.key_id,
                fingerprint=fresh.fingerprint,
                gateway=fresh.gateway,
                described_as=fresh.described_as,
                remembered_s=fresh.remembered_s,
            )
            return await self._ledger.take_over(self.key, stored, record, may_have_called=False, left_s=self._left_s())
        # What a newer version promises does not hold for keys of the version that was called first.
        record = dataclasses.replace(record, remembered_s=min(record.remembered_s, fresh.remembered_s))
        return await self._ledger.take_over(self.key, stored, record, may_have_called=True, left_s=self._left_s())

    # --- the execution

    async def _execute(self, claim: HubClaim, description: GatewayDescription | NotSent | None) -> None:
        """Call the gateway as far as needed, and record how that ended."""
        self.notes.gateway = self._gateway.name if self._gateway else ""
        self.notes.attempt, self.notes.in_doubt = claim.record.attempts, claim.in_doubt
        # 1. This process knows of an answer that meant Error, which the store has lost: nothing may be charged now.
        if claim.was_refused and not claim.was_called_since:
            claim.record = dataclasses.replace(claim.record, doubtful=False)
            await self._end(claim, Situation.REFUSED_EARLIER, None)
            return
        # 2. Too little time is left: nothing is called.
        if self._left_s() < MIN_CALL_S and self._refusal is None:
            await self._ledger.forget(claim)
            self._answer(answer_to(Situation.OUT_OF_TIME, in_doubt=claim.in_doubt))
            return
        situation, outcome = await self._conduct(claim, description)
        answer = answer_to(situation, in_doubt=claim.in_doubt, outcome=outcome)
        # 3. In doubt: the next send takes it over.
        if answer.answer is Answer.UNKNOWN:
            await self._ledger.leave_open(claim)
            self._parts.observer.opened(self.key, gateway=self.notes.gateway, first_send_s=claim.record.first_send_s)
            self._answer(answer)
            return
        # 4. It has ended for good.
        await self._end(claim, situation, outcome)

    async def _conduct(self, claim: HubClaim, description: GatewayDescription | NotSent | None) -> Verdict:
        if self._refusal is not None:
            return self._refusal, None
        if self._gateway is None or not isinstance(description, GatewayDescription):
            return Situation.NOT_CONNECTED, None
        conversation = GatewayConversation(
            self.request, claim, self._gateway, description, ledger=self._ledger, until_s=self._call_until_s
        )
        return await conversation.conduct()

    # --- the end

    async def _end(self, claim: HubClaim, situation: Situation, outcome: GatewayOutcome | None) -> None:
        """Record the end until it is recorded or the lease is over; answer as soon as the answer is safe.

        A refusal is answered only once it is recorded, so that no later send of the same id is charged. What the
        gateway approved is approved, recorded or not.
        """
        answer = answer_to(situation, in_doubt=claim.in_doubt, outcome=outcome)
        pause_s = _WRITE_PAUSE_S[0]
        while (is_recorded := await self._try_to_end(claim, situation, outcome)) is None:
            if answer.answer is Answer.APPROVED:
                self._answer(answer)
            if self._clock.now().timestamp() + pause_s > claim.record.lease_until_s - _LAST_WRITES_S:
                self._ledger.called.note_end(claim.record.owner, called=True)
                break
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _WRITE_PAUSE_S[1])
        if is_recorded:
            self._parts.observer.settled(self.key)
        if answer.answer in MEAN_ERROR and not is_recorded:
            answer = answer_to(Situation.STORE_UNAVAILABLE, in_doubt=True)
        self._remember_error(answer, claim.record)
        self._answer(answer)

    def _remember_error(self, answer: HubAnswer, record: HubRecord) -> None:
        """Remember in this process that Zuora may collect again, should the store lose the record."""
        if answer.answer in MEAN_ERROR:
            refused = CalledRequest(
                record.gateway,
                record.described_as,
                record.first_send_s,
                record.called_until_s,
                refused=True,
                owner=record.owner,
            )
            self._ledger.called.note(self.key, refused)

    async def _try_to_end(self, claim: HubClaim, situation: Situation, outcome: GatewayOutcome | None) -> bool | None:
        """Record the end; return False if the record was there no more, None if the store could not say."""
        try:
            return await self._ledger.end(claim, situation, outcome)
        except StoreUnavailable as error:
            _LOG.warning("upc_end_not_recorded", key=self.key, detail=str(error))
            return None

    def _left_s(self) -> float:
        return max(self._call_until_s - self._clock.monotonic(), 0.0)


def _obstacle(record: HubRecord, description: GatewayDescription | NotSent | None) -> Situation | None:
    """Return why a pinned gateway cannot be asked, or None: it is away, or another one by its own account."""
    if not record.described_as:
        return None
    if not isinstance(description, GatewayDescription):
        return Situation.NOT_CONNECTED
    return None if description.name == record.described_as else Situation.GATEWAY_CHANGED
