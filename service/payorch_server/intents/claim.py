"""An intent that one execution holds, from the claim to its end."""

import dataclasses
from collections.abc import Awaitable
from typing import Final, Generic, TypeVar

import structlog

from payorch_server.intents.answer_ids import AnswerIds
from payorch_server.intents.intent import IntentRequest, IntentResult
from payorch_server.intents.intent_record import (
    IntentRecord,
    Settlement,
    encode_record,
    encode_result,
    first_send,
    opened_at,
    resend_before,
    sent_intent,
    store_key,
    stored_evidence,
)
from payorch_server.intents.process_memory import ProcessMemory
from payorch_server.intents.token_guard import TokenGuard
from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.earlier_sends import WORTH_RESENDING, EarlierSends, error_given_doubt
from payorch_server.model.errors import CallError, call_error, error_for
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.runtime.clock import Clock
from payorch_server.store.keyring import Keyring
from payorch_server.store.port import Store, StoreUnavailable

T = TypeVar("T")

_LOG: Final = structlog.get_logger("payorch.intents")
_MAX_RESULT_BYTES: Final = 32 * 1024


class IntentClaim(Generic[T]):
    """The right of one execution to send an intent, and its duty to record how that ended.

    `guard_token` comes before the send; `settle` or `fail` after it. What a claim cannot write costs no caller the
    outcome: the next execution settles the intent again, under the same key.
    """

    def __init__(
        self,
        request: IntentRequest[T],
        record: IntentRecord,
        version: int | None,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        guard: TokenGuard,
        memory: ProcessMemory,
    ) -> None:
        """Hold an intent.

        Args:
            request: Of the call that started the execution.
            record: As it was written, with this execution's lease.
            version: Of the record in the store; None when it is not recorded.
            store: Where the record is.
            keyring: Seals results.
            clock: For the time of settlement.
            guard: Of one-time tokens.
            memory: Remembers what the store could not be given.
        """
        self.record = record
        self.version = version
        self._request = request
        self._operation = request.operation
        self._store = store
        self._key = store_key(request.key)
        self._keyring = keyring
        self._clock = clock
        self._guard = guard
        self._memory = memory

    def __repr__(self) -> str:
        return f"IntentClaim({self._request.key}, version {self.version})"

    @property
    def earlier_sends(self) -> EarlierSends:
        """What is known of sends before this execution."""
        return EarlierSends(self.record.doubtful, self._answer_ids, first_send(self.record).timestamp())

    @property
    def _answer_ids(self) -> AnswerIds:
        return AnswerIds(self.record.answer_ids, self._keyring)

    async def guard_token(self) -> None:
        """Claim the one-time token for the intent, before anything is sent.

        Raises:
            CallError: The token belongs to another intent, or cannot be guarded without the store; NOT_SENT.
        """
        token, owner = self._operation.guarded_token, self._key
        # 1. Nothing to guard, or nothing that a guard could refer to.
        if not token or self.version is None:
            return
        try:
            is_ours = await self._guard.claim(token, owner=owner)
        except StoreUnavailable as error:
            # 2. The store is away: what needs a record stops here, anything else is sent unguarded.
            if self._operation.needs_record:
                await self._release_lease()
                raise self._error_for_callers(call_error(Reason.STORE_UNAVAILABLE, str(error))) from error
            _LOG.warning("token_not_guarded", rpc=self._request.rpc, detail=str(error))
            return
        # 3. It is ours, or this intent may have used it already: then only a resend shows its caller what happened.
        # Money is sent only after the guard was passed; unless that is on record, the token stays with its owner.
        may_have_used_it = self.record.passed_guard or (self.record.doubtful and not self._operation.moves_money)
        if is_ours or may_have_used_it:
            return
        # 4. It belongs to another intent.
        await self._release_lease()
        detail = "the token belongs to another intent"
        if self.record.doubtful:
            # No resend gets past the guard, so none can show what became of an earlier send.
            raise call_error(Reason.INTENT_NOT_RECORDED, detail, lastReason=Reason.APPLE_PAY_TOKEN_REUSED.name)
        raise call_error(Reason.APPLE_PAY_TOKEN_REUSED, detail)

    async def settle(self, value: T, facts: UpstreamFacts) -> IntentResult[T]:
        """Record a success with its result, sealed; return the end of the intent."""
        result = encode_result(value)
        # What is too large for the store must not cost the ids, which are not.
        is_storable = len(result) <= _MAX_RESULT_BYTES
        key_id, sealed = self._keyring.seal(result, purpose=self._request.key) if is_storable else ("", b"")
        exists = self._operation.ids_of(value)
        settlement = dataclasses.replace(
            self._settlement("", facts),
            key_id=key_id,
            sealed_result=sealed,
            payment_method_id=exists.payment_method_id,
            payment_id=exists.payment_id,
        )
        await self._write(dataclasses.replace(self.record, settlement=settlement, lease_until_s=0.0))
        return IntentResult(value, self.record.route, facts, opened_at(self.record), replayed=False)

    async def fail(self, error: CallError) -> CallError:
        """Record what a failed execution leaves behind; return the error that its callers receive."""
        # 1. Callers learn until when a resend is safe, and never NOT_SENT while an earlier send is in doubt.
        error = self._error_for_callers(error)
        verdict, failure = error.verdict, error.failure
        # 2. Nothing was ever sent under this record: forget it, so that the next call may even take another route.
        # If it is there no more, another execution may have taken the intent over, and sent it.
        if verdict.outcome is Outcome.NOT_SENT and not self.record.doubtful:
            return error if await self.release() else error_given_doubt(error)
        # 3. Something may have been sent: keep the ids of answers, and settle the intent if no resend can help.
        ids = self._answer_ids.with_more(failure.facts.answer_ids)
        ended = dataclasses.replace(self.record, lease_until_s=0.0, doubtful=True, answer_ids=ids, passed_guard=True)
        if verdict.outcome is not Outcome.NOT_SENT and verdict.advice is not Advice.RESEND_SAME_REQUEST_ID:
            ended = dataclasses.replace(ended, settlement=self._failed_settlement(error))
            # For as long as no record shows it: it was not written, or the store is away. What is to be looked up only
            # because it is unrecorded, a resend may still settle.
            if error.failure.reason is not Reason.INTENT_NOT_RECORDED:
                self._memory.note_sent(self._request.key, sent_intent(ended))
        await self._write(ended)
        # 4. A refusal from before a payment gateway could see the token frees it for a corrected request.
        if self._guard.is_released_by(failure.reason):
            await self._is_done(self._guard.release(self._operation.guarded_token, owner=self._key))
        return error

    async def release(self) -> bool:
        """Give up an intent of which this execution sent nothing; return False if its record was there no more."""
        if self.version is None:
            return True
        if not await self._release_lease():
            return False
        if self._operation.guarded_token:
            await self._is_done(self._guard.release(self._operation.guarded_token, owner=self._key))
        self._memory.note_unsent(self._request.key)
        return True

    def _error_for_callers(self, error: CallError) -> CallError:
        if self.record.doubtful:
            error = error_given_doubt(error)
        rpc = self._request.rpc
        failure = dataclasses.replace(error.failure, rpc=rpc, resend_before=resend_before(self.record))
        # Unrecorded, a resend may take another route, and what it creates then is a second one.
        if self.version is None and not self._operation.is_disposable and error.verdict == WORTH_RESENDING:
            metadata = {"lastReason": failure.metadata.get("lastReason", failure.reason.name)}
            failure = dataclasses.replace(
                failure, reason=Reason.INTENT_NOT_RECORDED, metadata=metadata, resend_before=None
            )
        return error_for(failure)

    async def _release_lease(self) -> bool:
        """End an execution that sent nothing: forget the intent, unless an earlier execution may have sent it.

        Returns False if the record was there no more.
        """
        if self.record.doubtful:
            await self._write(dataclasses.replace(self.record, lease_until_s=0.0), sent=False)
            return True
        if self.version is None:
            return True
        try:
            return await self._store.compare_and_delete(self._key, version=self.version)
        except StoreUnavailable as error:
            self._log_unwritten(error)
            self._memory.note_end(self.record.owner, sent=False)
            return True

    async def _write(self, record: IntentRecord, *, sent: bool = True) -> None:
        """Write the end of the execution; if that fails, the next one settles the intent again under the same key."""
        if self.version is None:
            return
        value = encode_record(record)
        written = self._store.compare_and_set(self._key, value, version=self.version, ttl_s=self._guard.keep_s)
        if not await self._is_done(written):
            self._memory.note_end(self.record.owner, sent=sent)

    async def _is_done(self, work: Awaitable[object]) -> bool:
        """Do something in the store; return False, and log it, if that failed."""
        try:
            await work
        # ValueError: more than the store takes. Nothing about a record may cost a caller the outcome.
        except (StoreUnavailable, ValueError) as error:
            self._log_unwritten(error)
            return False
        return True

    def _log_unwritten(self, error: Exception) -> None:
        _LOG.warning("execution_end_not_recorded", rpc=self._request.rpc, detail=str(error))

    def _settlement(self, reason: str, facts: UpstreamFacts) -> Settlement:
        return Settlement(
            reason=reason,
            zuora_request_id=facts.zuora_request_id,
            zuora_process_id=facts.zuora_process_id,
            executed_track_id=facts.echoed_track_id,
            settled_at_s=self._clock.now().timestamp(),
        )

    def _failed_settlement(self, error: CallError) -> Settlement:
        evidence = error.failure.evidence
        return dataclasses.replace(
            self._settlement(error.failure.reason.name, error.failure.facts),
            evidence=stored_evidence(evidence),
            payment_method_id=evidence.payment_method_id,
            payment_id=evidence.payment_id,
        )
