"""The ledger: the intents in the store, with their leases, routes and ends."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from payorch_server.intents.claim import IntentClaim
from payorch_server.intents.intent import IntentRequest, IntentResult, require_same_request, still_running, unreadable
from payorch_server.intents.intent_record import (
    IntentRecord,
    IntentRecordUnreadable,
    append_recent,
    decode_record,
    encode_record,
    minted_at,
    resend_before,
    sent_intent,
    store_key,
)
from payorch_server.intents.process_memory import ProcessMemory, SentIntent
from payorch_server.intents.replay import replay
from payorch_server.intents.token_guard import TokenGuard
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import RESEND_LIMIT, IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.runtime.clock import Clock
from payorch_server.store.keyring import Keyring
from payorch_server.store.port import VERSION_BYTES, Store, StoredValue, StoreUnavailable

T = TypeVar("T")

_LOG: Final = structlog.get_logger("payorch.intents")

LEASE_S: Final = 65.0
"""How long an execution keeps others away; longer than it can take."""
CLOCK_SKEW_S: Final = 5.0
"""How far the clocks of two replicas may differ."""
KEEP_S: Final = timedelta(days=30).total_seconds()
"""How long a record answers or refuses."""
_POLL_S: Final = (0.02, 0.5)


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
        self._guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=entropy)
        self.memory = ProcessMemory()
        """What this process knows of intents without the store."""

    def __repr__(self) -> str:
        return f"IntentLedger({self._store!r})"

    async def look_up(self, key: IdempotencyKey) -> IntentRecord | None:
        """Return the record of an intent.

        Raises:
            CallError: The store cannot be reached; NOT_SENT.
            IntentRecordUnreadable: It is there, and cannot be read.
        """
        try:
            stored = await self._store.get(store_key(key))
        except StoreUnavailable as error:
            if error.is_foreign:
                raise IntentRecordUnreadable(str(error)) from error
            raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error
        return decode_record(stored.value) if stored else None

    def is_in_flight(self, record: IntentRecord) -> bool:
        """Return whether an execution holds the intent now."""
        return record.settlement is None and record.lease_until_s > self._now_s()

    def resend_before_if_new(self, request: IntentRequest[T]) -> datetime:
        """Return until when a resend of the intent is safe if nothing of it is recorded, UTC."""
        minted = minted_at(request.request_id)
        opened = datetime.fromtimestamp(self._opening_s(request), UTC)
        return (opened if minted is None else min(minted, opened)) + RESEND_LIMIT

    async def claim_or_replay(
        self, request: IntentRequest[T], context: CallContext, *, permit: Callable[[Route], None]
    ) -> IntentClaim[T] | IntentResult[T]:
        """Claim the intent for an execution, or return its recorded success.

        Args:
            request: The intent.
            context: Of the execution.
            permit: Refuses the caller on the route that the intent is pinned to.

        Raises:
            CallError: The intent failed before, was another request, is too old, cannot be routed or cannot be read.
            StoreUnavailable: Nothing is known of it.
        """
        poll_s = _POLL_S[0]
        await self._refuse_too_old(request)
        while True:
            # 1. New: it is recorded, and this execution holds it.
            stored = await self._open(request, context, permit)
            if isinstance(stored, IntentClaim):
                return stored
            record = self._with_what_is_known_here(request, _read(stored, request))
            self._refuse_elsewhere(request, record)
            # A record that is newer than a failure known here replaces it.
            if record.doubtful or record.settlement is not None or self.memory.sent(request.key):
                self.memory.note_sent(request.key, sent_intent(record))
            # Before anything else is revealed of it: the caller may lack the right to the route it is pinned to.
            permit(record.route)
            require_same_request(record.fingerprint, request)
            # 2. Settled: its recorded end is the answer.
            if record.settlement is not None:
                return replay(request, record, record.settlement, keyring=self.keyring, now_s=self._now_s())
            # 3. Unsettled for longer than Zuora remembers its key: a resend could execute it a second time.
            self._refuse_expired(request, record)
            # 4. Held by another replica: wait for its end, as long as a call waits for that. The lease of an execution
            # that ended in this process stands only because the store was away.
            sent = self.memory.sent_by(record.owner)
            if sent is None and self._is_leased_by_another(record):
                if self._clock.monotonic() + poll_s > context.awaited_until_s:
                    raise still_running("another replica holds the intent", resend_before(record))
                await asyncio.sleep(self._uniform(poll_s / 2, poll_s))
                poll_s = min(poll_s * 2, _POLL_S[1])
                continue
            # 5. Abandoned: take it over with the same key on the same route, unless another replica is faster.
            taken = self._take_over(request, record, context, sent=sent is not False)
            value, version = encode_record(taken), stored.version
            if await self._write_first(
                self._store.compare_and_set(store_key(request.key), value, version=version, ttl_s=KEEP_S),
                taken,
                request,
            ):
                return self._claim(request, taken, version + 1)

    def claim_unrecorded(
        self,
        request: IntentRequest[T],
        context: CallContext,
        error: StoreUnavailable,
        *,
        permit: Callable[[Route], None],
    ) -> IntentClaim[T]:
        """Claim the intent without the store, if that is allowed: Zuora knows the key for a day.

        An earlier send that is in doubt may be on record where it cannot be read, so the intent counts as in doubt.

        Args:
            request: The intent.
            context: Of the execution.
            error: Why the store cannot be used.
            permit: Refuses the caller on the route that this process sent the intent on.

        Raises:
            CallError: It needs a record, its record cannot be read, it has no route, its time stamp is older than
                Zuora's memory, or this process knows that it failed for good.
        """
        if error.is_foreign:
            raise unreadable(error, request) from error
        if request.operation.needs_record:
            raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error
        if self._is_too_old(request):
            raise call_error(Reason.INTENT_EXPIRED, "its UUIDv7 is older than 23 hours and no record can be read")
        record = dataclasses.replace(self._new_record(request, context, permit), doubtful=True)
        _LOG.warning("intent_not_recorded", rpc=request.rpc, detail=str(error))
        return self._claim(request, record, None)

    def _claim(self, request: IntentRequest[T], record: IntentRecord, version: int | None) -> IntentClaim[T]:
        return IntentClaim(
            request,
            record,
            version,
            store=self._store,
            keyring=self.keyring,
            clock=self._clock,
            guard=self._guard,
            memory=self.memory,
        )

    async def _open(
        self, request: IntentRequest[T], context: CallContext, permit: Callable[[Route], None]
    ) -> IntentClaim[T] | StoredValue:
        """Record the intent, or return what is recorded of it."""
        key = store_key(request.key)
        try:
            fresh = self._new_record(request, context, permit)
        except CallError:
            stored = await self._store.get(key)
            context.notes.intent_read = True
            if stored is None:
                raise
            return stored
        # Random, so that a late write for a record that was lost or released cannot hit this one.
        version = int.from_bytes(self._entropy(VERSION_BYTES)) + 1
        put = self._store.put_if_absent(key, encode_record(fresh), ttl_s=KEEP_S, version=version)
        stored = await self._write_first(put, fresh, request)
        context.notes.intent_read = True
        return self._claim(request, fresh, version) if stored is None else stored

    async def _write_first(self, work: Awaitable[T], record: IntentRecord, request: IntentRequest[Any]) -> T:
        """Write the lease of an execution that has sent nothing yet.

        A write that ended in StoreUnavailable may have happened, or happen later, and the execution ends here or
        continues unrecorded: its lease then keeps only other processes away.
        """
        try:
            return await work
        except StoreUnavailable:
            self.memory.note_end(record.owner, sent=not request.operation.needs_record)
            raise

    def _take_over(
        self, request: IntentRequest[T], record: IntentRecord, context: CallContext, *, sent: bool
    ) -> IntentRecord:
        """Return the record of an unsettled intent as this execution continues it: same key, same route.

        Args:
            request: The intent.
            record: As it is.
            context: Of this execution.
            sent: Whether the execution that held it may have sent it.
        """
        _require_route(request, record.route)
        return dataclasses.replace(
            record,
            owner=self._entropy(8).hex(),
            lease_until_s=self._now_s() + LEASE_S,
            takeovers=record.takeovers + 1,
            doubtful=record.doubtful or sent,
            track_ids=append_recent(record.track_ids, context.track_id),
        )

    def _new_record(
        self, request: IntentRequest[T], context: CallContext, permit: Callable[[Route], None]
    ) -> IntentRecord:
        """Return the record of an intent of which the store has none.

        If this process sent it, the store has lost the record: the intent keeps its route, its doubt, its age, and its
        end if it failed for good.
        """
        sent = self.memory.sent(request.key)
        route = sent.route if sent else request.route
        if isinstance(route, CallError):
            raise route
        if sent is not None:
            permit(route)
            self._replay_failure(request, sent)
            _require_route(request, route)
        opening_s, minted = self._opening_s(request), minted_at(request.request_id)
        record = IntentRecord(
            fingerprint=request.fingerprints.written,
            route=route,
            doubtful=sent is not None,
            owner=self._entropy(8).hex(),
            lease_until_s=self._now_s() + LEASE_S,
            opened_at_s=sent.opened_at_s if sent else opening_s,
            earliest_send_s=0.0 if minted is None else min(minted.timestamp(), opening_s),
            track_ids=(context.track_id,),
        )
        if sent is not None:
            self._refuse_expired(request, record)
        return record

    def _with_what_is_known_here(self, request: IntentRequest[T], record: IntentRecord) -> IntentRecord:
        """Return the record of an intent with what this process knows of it, and the store does not."""
        # 1. The execution that holds it failed here, and its end was not written.
        sent = self.memory.sent(request.key)
        if sent is not None and sent.failed_record and record.settlement is None:
            failed = decode_record(sent.failed_record)
            if failed.owner == record.owner:
                return failed
        # 2. It is older than its record: the store lost the first one.
        return dataclasses.replace(record, opened_at_s=self.memory.opened_at_s(request.key, record.opened_at_s))

    def _replay_failure(self, request: IntentRequest[T], sent: SentIntent) -> None:
        """Raise the failure that this process knows an intent to have ended with: it is not sent again."""
        if not sent.failed_record:
            return
        record = decode_record(sent.failed_record)
        require_same_request(record.fingerprint, request)
        if record.settlement is not None:
            replay(request, record, record.settlement, keyring=self.keyring, now_s=self._now_s())

    async def _refuse_too_old(self, request: IntentRequest[T]) -> None:
        """Refuse a time-stamped request id from before Zuora's memory, unless a record shows what happened."""
        if not self._is_too_old(request):
            return
        try:
            recorded = await self._store.get(store_key(request.key)) is not None
        except StoreUnavailable:
            recorded = False
        if not recorded:
            raise call_error(Reason.INTENT_EXPIRED, "its UUIDv7 is older than 23 hours and no record of it exists")

    def _is_too_old(self, request: IntentRequest[T]) -> bool:
        minted = minted_at(request.request_id)
        return minted is not None and self._clock.now() - minted > RESEND_LIMIT

    def _opening_s(self, request: IntentRequest[T]) -> float:
        """Return the time now by the clock that is behind, ours or Zuora's: a new intent was opened no earlier."""
        now_s = self._now_s()
        zuora_s = None if isinstance(request.route, CallError) else request.operation.zuora_now_s(request.route)
        return now_s if zuora_s is None else min(now_s, max(zuora_s, 0.0))

    def _refuse_expired(self, request: IntentRequest[T], record: IntentRecord) -> None:
        # By the clock that is ahead, ours or Zuora's.
        now_s = max(self._now_s(), request.operation.zuora_now_s(record.route) or 0.0)
        if now_s > resend_before(record).timestamp():
            raise call_error(Reason.INTENT_EXPIRED, "opened more than 23 hours ago and never settled")

    def _refuse_elsewhere(self, request: IntentRequest[T], record: IntentRecord) -> None:
        """Refuse an intent that this process sent elsewhere than its record says: the store lost the first record."""
        sent = self.memory.sent(request.key)
        if sent is not None and sent.route.place != record.route.place:
            detail = f"sent to {sent.route.tenant}, recorded for {record.route.tenant}"
            raise call_error(Reason.INTENT_NOT_RECORDED, detail, lastReason=Reason.STORE_UNAVAILABLE.name)

    def _is_leased_by_another(self, record: IntentRecord) -> bool:
        return record.lease_until_s > 0 and self._now_s() < record.lease_until_s + CLOCK_SKEW_S

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _read(stored: StoredValue, request: IntentRequest[Any]) -> IntentRecord:
    try:
        return decode_record(stored.value)
    except IntentRecordUnreadable as error:
        raise unreadable(error, request) from error


def _require_route(request: IntentRequest[Any], route: Route) -> None:
    if not request.operation.route_exists(route):
        raise call_error(Reason.ROUTE_GONE, f"tenant {route.tenant} on {route.host} is not configured")
