"""The recorded side of intents: who holds one, on which route it goes, and how it ended."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from payorch_server.intents.intent import IntentExecution, IntentResult, require_same_request
from payorch_server.intents.intent_record import (
    IntentRecord,
    Settlement,
    append_recent,
    decode_record,
    decode_result,
    encode_record,
    encode_result,
    minted_at,
    reason_of,
    resend_before,
)
from payorch_server.intents.token_guard import TokenGuard
from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, Failure, call_error, error_for
from payorch_server.model.identifiers import RESEND_LIMIT, IdempotencyKey
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.runtime.clock import Clock
from payorch_server.store.keyring import Keyring, SealBroken
from payorch_server.store.port import Store, StoredValue, StoreUnavailable

T = TypeVar("T")

_LOG: Final = structlog.get_logger("payorch.intents")

LEASE_S: Final = 65.0
"""How long nobody else goes on with a flight; longer than it can take."""
CLOCK_SKEW_S: Final = 5.0
"""How far the clocks of two replicas may differ."""
KEEP_S: Final = timedelta(days=30).total_seconds()
"""How long a record answers or refuses."""
_MAX_RESULT_BYTES: Final = 32 * 1024
_VERSION_BYTES: Final = 7
_POLL_S: Final = (0.02, 0.5)


@dataclass(frozen=True, slots=True)
class IntentClaim:
    """An intent that this flight owns."""

    record: IntentRecord
    version: int | None
    """Version in the store; None when it is not recorded."""


class IntentLedger:
    """The intents in the store."""

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        uniform: Callable[[float, float], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self.keyring = keyring
        """The fleet's keys."""
        self._clock = clock
        self._uniform = uniform
        self._entropy = entropy
        self._guard = TokenGuard(store=store, keep_s=KEEP_S)

    def __repr__(self) -> str:
        return f"Records({self._store!r})"

    async def look_up(self, key: IdempotencyKey) -> IntentRecord | None:
        """Return the record of an intent.

        Raises:
            NotSent: The store cannot be reached.
        """
        try:
            stored = await self._store.get(_store_key(key))
        except StoreUnavailable as error:
            raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error
        return decode_record(stored.value) if stored else None

    def is_in_flight(self, record: IntentRecord) -> bool:
        """Tell whether a flight holds the intent now."""
        return record.settlement is None and record.lease_until_s > self._now_s()

    def resend_before_if_new(self, opening: IntentExecution[T]) -> datetime:
        """Return until when a resend of the intent is safe if nothing of it is recorded, UTC."""
        return _moment(self._earliest_send_s(opening) or self._now_s()) + RESEND_LIMIT

    def unrecorded(self, opening: IntentExecution[T], context: CallContext, error: StoreUnavailable) -> IntentClaim:
        """Go on without the store, if that is allowed: Zuora knows the key for a day.

        Nobody can tell then whether an earlier send is in doubt, so it counts as if one were.

        Raises:
            CallError: It may not be sent unrecorded, or its time stamp is older than Zuora's memory.
        """
        refuse_if_needed(opening, error)
        if self._is_too_old(opening):
            raise call_error(Reason.INTENT_EXPIRED, "its UUIDv7 is older than 23 hours and no record can be read")
        return IntentClaim(dataclasses.replace(self._new_record(opening, context), doubtful=True), None)

    async def _open(self, opening: IntentExecution[T], context: CallContext) -> IntentClaim | StoredValue:
        """Record the intent, or return what is recorded of it."""
        key = _store_key(opening.key)
        if isinstance(opening.route, CallError):
            stored = await self._store.get(key)
            if stored is None:
                raise opening.route
            return stored
        fresh = self._new_record(opening, context)
        # Random, so that a late write for a record that was lost or released cannot hit this one.
        version = int.from_bytes(self._entropy(_VERSION_BYTES)) + 1
        stored = await self._store.put_if_absent(key, encode_record(fresh), ttl_s=KEEP_S, version=version)
        return IntentClaim(fresh, version) if stored is None else stored

    async def hold(self, opening: IntentExecution[T], context: CallContext) -> IntentClaim | IntentResult[T]:
        """Open the intent, wait for whoever holds it, take it over, or return its recorded end."""
        key = _store_key(opening.key)
        poll_s = _POLL_S[0]
        await self._refuse_too_old(opening, key)
        while True:
            stored = await self._open(opening, context)
            if isinstance(stored, IntentClaim):
                return stored
            record = decode_record(stored.value)
            # Before anything is told of it: the route it is pinned to may be one that this caller may not use.
            opening.permit(record.route)
            require_same_request({record.fingerprint.key_id: record.fingerprint}, opening)
            if record.settlement is not None:
                return self._replay(opening, record, record.settlement)
            self._refuse_expired(record)
            if self._leased_by_another(record):
                if self._clock.monotonic() + poll_s > context.deadline_s:
                    raise still_running("another replica holds the intent", resend_before(record))
                await asyncio.sleep(self._uniform(poll_s / 2, poll_s))
                poll_s = min(poll_s * 2, _POLL_S[1])
                continue
            taken = self._taken_over(opening, record, context)
            if await self._store.compare_and_set(key, encode_record(taken), version=stored.version, ttl_s=KEEP_S):
                return IntentClaim(taken, stored.version + 1)

    def _taken_over(self, opening: IntentExecution[T], record: IntentRecord, context: CallContext) -> IntentRecord:
        """Return the record of an unsettled intent as this flight goes on with it: same key, same route."""
        if not opening.route_exists(record.route):
            raise call_error(
                Reason.ROUTE_GONE, f"tenant {record.route.tenant} on {record.route.host} is not configured"
            )
        return dataclasses.replace(
            record,
            owner=self._entropy(8).hex(),
            lease_until_s=self._now_s() + LEASE_S,
            takeovers=record.takeovers + 1,
            # Whoever held it may have sent it, and has not said what came of it.
            doubtful=True,
            track_ids=append_recent(record.track_ids, context.track_id),
        )

    async def succeeded(
        self, opening: IntentExecution[T], held: IntentClaim, value: T, facts: UpstreamFacts
    ) -> IntentResult[T]:
        """Record the result, sealed, and return the end of the intent."""
        record = held.record
        result = encode_result(value)
        # What the store cannot hold must not cost the ids, which it can.
        key_id, sealed = (
            self.keyring.seal(result, purpose=opening.key) if len(result) <= _MAX_RESULT_BYTES else ("", b"")
        )
        exists = opening.ids_of(value)
        settlement = dataclasses.replace(
            self._settlement("", facts),
            key_id=key_id,
            sealed_result=sealed,
            payment_method_id=exists.payment_method_id,
            payment_id=exists.payment_id,
        )
        await self._write(opening, held, dataclasses.replace(record, settlement=settlement, lease_until_s=0.0))
        return IntentResult(value, record.route, facts, _moment(record.opened_at_s), replayed=False)

    async def guard_token(self, opening: IntentExecution[T], held: IntentClaim) -> None:
        """Claim the one-time token. From here on the intent is recorded, so it keeps its route whatever fails."""
        if not opening.guarded_token or held.version is None:
            return
        try:
            claimed = await self._guard.claim(opening.guarded_token, owner=_store_key(opening.key))
        except StoreUnavailable as error:
            if opening.needs_store:
                await self._let_go(opening, held)
            refuse_if_needed(opening, error)
            return
        # Money is sent only after the claim, so a paying intent that never passed here never used the token. Any other
        # that may have been sent goes on: only that tells its caller what became of it.
        may_have_used_it = held.record.passed_guard or (held.record.doubtful and not opening.needs_store)
        if not claimed and not may_have_used_it:
            await self._let_go(opening, held)
            raise call_error(Reason.APPLE_PAY_TOKEN_REUSED, "the token belongs to another intent")

    async def _let_go(self, opening: IntentExecution[T], held: IntentClaim) -> None:
        """End a flight that sent nothing: forget the intent, unless an earlier flight may have sent it."""
        if held.record.doubtful:
            await self._write(opening, held, dataclasses.replace(held.record, lease_until_s=0.0))
        elif held.version is not None:
            await self._quietly(self._store.compare_and_delete(_store_key(opening.key), version=held.version), opening)

    async def failed(self, opening: IntentExecution[T], held: IntentClaim, error: CallError) -> None:
        """Record what a failure settles, or that the intent is not settled, or forget it if nothing was sent."""
        record, verdict = held.record, error.verdict
        if verdict.outcome is Outcome.NOT_SENT and not record.doubtful:
            # Nothing was ever sent under this record, so the next call may start anew, on another route even.
            await self._release(opening, held)
            return
        facts = error.failure.facts
        ids = append_recent(record.answer_ids, facts.zuora_request_id, facts.zuora_process_id)
        ended = dataclasses.replace(record, lease_until_s=0.0, doubtful=True, answer_ids=ids, passed_guard=True)
        if verdict.outcome is not Outcome.NOT_SENT and verdict.advice is not Advice.RESEND_SAME_REQUEST_ID:
            evidence = error.failure.evidence
            settlement = dataclasses.replace(
                self._settlement(error.failure.reason.name, facts),
                evidence=evidence,
                payment_method_id=evidence.payment_method_id,
                payment_id=evidence.payment_id,
            )
            ended = dataclasses.replace(ended, settlement=settlement)
        await self._write(opening, held, ended)
        if self._guard.is_released_by(error.failure.reason):
            await self._quietly(self._guard.release(opening.guarded_token, owner=_store_key(opening.key)), opening)

    async def _release(self, opening: IntentExecution[T], held: IntentClaim) -> None:
        if held.version is None:
            return
        if opening.guarded_token:
            await self._quietly(self._guard.release(opening.guarded_token, owner=_store_key(opening.key)), opening)
        await self._let_go(opening, held)

    async def _write(self, opening: IntentExecution[T], held: IntentClaim, record: IntentRecord) -> None:
        """Write the end of a flight; if that fails, the next flight settles it again with the same key."""
        if held.version is None:
            return
        write = self._store.compare_and_set(
            _store_key(opening.key), encode_record(record), version=held.version, ttl_s=KEEP_S
        )
        await self._quietly(write, opening)

    async def _quietly(self, work: Awaitable[object], opening: IntentExecution[T]) -> None:
        try:
            await work
        # ValueError: more than the store takes. Nothing about a record may cost a caller the outcome.
        except (StoreUnavailable, ValueError) as error:
            _LOG.warning("the end of a flight is not recorded", rpc=opening.rpc, detail=str(error))

    def _new_record(self, opening: IntentExecution[T], context: CallContext) -> IntentRecord:
        if isinstance(opening.route, CallError):
            raise opening.route
        return IntentRecord(
            fingerprint=next(iter(opening.fingerprints.values())),
            route=opening.route,
            owner=self._entropy(8).hex(),
            lease_until_s=self._now_s() + LEASE_S,
            opened_at_s=self._now_s(),
            earliest_send_s=self._earliest_send_s(opening),
            track_ids=(context.track_id,),
        )

    def _settlement(self, reason: str, facts: UpstreamFacts) -> Settlement:
        return Settlement(
            reason=reason,
            zuora_request_id=facts.zuora_request_id,
            zuora_process_id=facts.zuora_process_id,
            executed_track_id=facts.echoed_track_id,
            settled_at_s=self._now_s(),
        )

    def _replay(self, opening: IntentExecution[T], record: IntentRecord, settlement: Settlement) -> IntentResult[T]:
        facts = UpstreamFacts(
            zuora_request_id=settlement.zuora_request_id,
            zuora_process_id=settlement.zuora_process_id,
            echoed_track_id=settlement.executed_track_id,
        )
        if reason := reason_of(settlement):
            raise error_for(Failure(reason, "recorded earlier", evidence=settlement.evidence, facts=facts))
        age_s = self._now_s() - settlement.settled_at_s
        if opening.stale_after_s is not None and age_s > opening.stale_after_s:
            limit = str(int(opening.stale_after_s))
            raise call_error(Reason.SESSION_STALE, f"settled {age_s:.0f} s ago", maxAgeSeconds=limit)
        try:
            clear = self.keyring.unseal(settlement.key_id, settlement.sealed_result, purpose=opening.key)
        except SealBroken as error:
            raise call_error(Reason.INTENT_EXPIRED, f"its result cannot be read: {error}") from error
        value = decode_result(clear, opening.result_type)
        return IntentResult(value, record.route, facts, _moment(record.opened_at_s), replayed=True)

    async def _refuse_too_old(self, opening: IntentExecution[T], key: str) -> None:
        """Refuse a time-stamped request id from before Zuora's memory, unless a record tells what became of it."""
        if not self._is_too_old(opening):
            return
        try:
            recorded = await self._store.get(key) is not None
        except StoreUnavailable:
            recorded = False
        if not recorded:
            raise call_error(Reason.INTENT_EXPIRED, "its UUIDv7 is older than 23 hours and no record of it exists")

    def _is_too_old(self, opening: IntentExecution[T]) -> bool:
        minted = minted_at(opening.request_id)
        return minted is not None and self._clock.now() - minted > RESEND_LIMIT

    def _earliest_send_s(self, opening: IntentExecution[T]) -> float:
        minted = minted_at(opening.request_id)
        return 0.0 if minted is None else min(minted.timestamp(), self._now_s())

    def _refuse_expired(self, record: IntentRecord) -> None:
        if self._clock.now() > resend_before(record):
            raise call_error(Reason.INTENT_EXPIRED, "opened more than 23 hours ago and never settled")

    def _leased_by_another(self, record: IntentRecord) -> bool:
        return record.lease_until_s > 0 and self._now_s() < record.lease_until_s + CLOCK_SKEW_S

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def still_running(private: str, until: datetime) -> CallError:
    """Return the error for a caller who leaves before the flight has ended, and until when it may resend."""
    return error_for(Failure(Reason.FLIGHT_GOES_ON, private, resend_before=until))


def refuse_if_needed(opening: IntentExecution[Any], error: StoreUnavailable) -> None:
    """Refuse an intent that may not be sent while the store is gone."""
    if opening.needs_store:
        raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error
    _LOG.warning("the intent is not recorded", rpc=opening.rpc, detail=str(error))


def _store_key(key: IdempotencyKey) -> str:
    return f"intent:{key}"


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
