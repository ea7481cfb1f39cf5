"""One intent, one idempotency key, one execution.

The first flight of an intent writes a record before it sends; equal calls join the flight or take its recorded end,
other bodies are refused, and a flight whose owner is gone is continued with the same key on the same route. The store
only adds to what the key itself guarantees: losing it costs joins and refusals, never a second execution.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import structlog

from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, Evidence, Failure, Violation, failure, refuse
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.orchestration.fingerprint import Fingerprint, differences
from payorch_server.orchestration.keyring import Keyring, SealBroken
from payorch_server.orchestration.record import (
    RESEND_LIMIT,
    IntentRecord,
    Settlement,
    decode_record,
    decode_result,
    encode_record,
    encode_result,
    newest,
    resend_before,
)
from payorch_server.orchestration.replay_guard import ReplayGuard
from payorch_server.orchestration.request_age import minted_at
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.port import Store, StoreUnavailable
from payorch_server.zuora.earlier import Earlier

T = TypeVar("T")

_PREFIX: Final = "po1-"
_HEX_DIGITS: Final = 40
_LOG: Final = structlog.get_logger("payorch.intents")

FLIGHT_LIMIT_S: Final = 55.0
"""How long a flight may take; below the 60 s after which Zuora gives up a connector call."""
LEASE_S: Final = 65.0
"""How long nobody else goes on with a flight; longer than it can take."""
CLOCK_SKEW_S: Final = 5.0
"""How far the clocks of two replicas may differ."""
KEEP_S: Final = timedelta(days=30).total_seconds()
"""How long a record answers or refuses."""
_ANSWER_MARGIN_S: Final = 0.05
_POLL_S: Final = (0.02, 0.5)


def idempotency_key(*, namespace: str, rpc: str, request_id: RequestId) -> IdempotencyKey:
    """Return the key under which Zuora executes an intent once.

    Every replica, version and restart must compute the same, so nothing else goes into it: no secret, tenant, URL,
    gateway or counter. Each part is preceded by its length in bytes, four bytes long, most significant first.

    Args:
        namespace: Whose intent it is.
        rpc: Name of the RPC, such as `CreateSession`.
        request_id: The caller's name for the intent.

    Returns:
        `po1-` and the first 40 hexadecimal digits of a SHA-256; 44 characters of Zuora's 255.
    """
    digest = hashlib.sha256()
    for part in (namespace, rpc, request_id):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return IdempotencyKey(_PREFIX + digest.hexdigest()[:_HEX_DIGITS])


@dataclass(frozen=True, slots=True)
class Opening(Generic[T]):
    """An intent about to be opened, joined or replayed."""

    key: IdempotencyKey
    rpc: str
    request_id: RequestId
    fingerprints: Mapping[str, Fingerprint]
    """By key id, the key in use first."""
    route: Route
    """Where it goes if it is new."""
    send: Callable[[Route, CallContext, Earlier], Awaitable[tuple[T, UpstreamFacts]]]
    """Executes it on a route."""
    result_type: Any
    ids_of: Callable[[T], Evidence]
    """Names what exists because of a result."""
    needs_store: bool
    """Whether it may not be sent unrecorded."""
    guarded_token: str = ""
    """What names the one-time token in it; empty if there is none."""
    stale_after_s: float | None = None
    """Age from which its recorded success is of no use."""


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """The successful end of an intent."""

    value: T
    route: Route
    facts: UpstreamFacts
    first_sent_at: datetime
    replayed: bool
    """Whether it had ended before this call."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An intent that this flight owns."""

    record: IntentRecord
    version: int | None
    """Version in the store; None when it is not recorded."""


@dataclass(frozen=True, slots=True)
class _Flying(Generic[T]):
    fingerprints: Mapping[str, Fingerprint]
    task: asyncio.Task[Ended[T]]


class Intents:
    """The intents in flight in this process, and the recorded ones in the store."""

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        tasks: TaskOwner,
        route_exists: Callable[[Route], bool],
        uniform: Callable[[float, float], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._tasks = tasks
        self._route_exists = route_exists
        self._uniform = uniform
        self._entropy = entropy
        self._guard = ReplayGuard(store=store, keep_s=KEEP_S)
        self._flights: dict[str, _Flying[Any]] = {}

    def __repr__(self) -> str:
        return f"Intents({len(self._flights)} in flight)"

    async def run(self, opening: Opening[T], context: CallContext) -> Ended[T]:
        """Execute the intent, join its flight, or return its recorded end.

        The flight belongs to the service: it goes on when this caller leaves.

        Raises:
            CallError: Any of its kinds.
        """
        flying = self._flights.get(opening.key)
        if flying is None:
            flying = self._depart(opening, context)
        else:
            _refuse_another_body(flying.fingerprints, opening)
        wait_s = context.deadline_s - self._clock.monotonic() - _ANSWER_MARGIN_S
        try:
            async with asyncio.timeout(max(wait_s, 0.0)):
                return await asyncio.shield(flying.task)
        except TimeoutError as error:
            raise refuse(Reason.FLIGHT_GOES_ON, f"not settled within {wait_s:.2f} s") from error

    async def settle_flights(self, *, timeout_s: float) -> int:
        """Wait until no intent is in flight; return how many are left when time is up."""
        tasks = [flying.task for flying in self._flights.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        return len(self._flights)

    async def look_up(self, key: IdempotencyKey) -> IntentRecord | None:
        """Return the record of an intent.

        Raises:
            NotSent: The store cannot be reached.
        """
        try:
            stored = await self._store.get(_store_key(key))
        except StoreUnavailable as error:
            raise refuse(Reason.STORE_UNAVAILABLE, str(error)) from error
        return decode_record(stored.value) if stored else None

    def is_in_flight(self, record: IntentRecord) -> bool:
        """Tell whether a flight holds the intent now."""
        return record.settlement is None and record.lease_until_s > self._now_s()

    def _depart(self, opening: Opening[T], context: CallContext) -> _Flying[T]:
        flying = _Flying(opening.fingerprints, self._tasks.start(self._fly(opening, context), name=opening.rpc))
        self._flights[opening.key] = flying
        flying.task.add_done_callback(lambda _: self._flights.pop(opening.key, None))
        return flying

    async def _fly(self, opening: Opening[T], context: CallContext) -> Ended[T]:
        context = dataclasses.replace(context, deadline_s=self._clock.monotonic() + FLIGHT_LIMIT_S)
        try:
            held = await self._hold(opening, context)
        except StoreUnavailable as error:
            held = self._unrecorded(opening, context, error)
        if isinstance(held, Ended):
            return held
        await self._guard_token(opening, context, held)
        return await self._send(opening, context, held)

    def _unrecorded(self, opening: Opening[T], context: CallContext, error: StoreUnavailable) -> _Held:
        """Go on without the store, if that is allowed: Zuora knows the key for a day."""
        if opening.needs_store:
            raise refuse(Reason.STORE_UNAVAILABLE, str(error)) from error
        if self._is_too_old(opening):
            raise refuse(
                Reason.INTENT_EXPIRED, "its UUIDv7 is older than 23 hours and no record can be read"
            ) from error
        _LOG.warning("the intent is not recorded", track_id=context.track_id, detail=str(error))
        return _Held(self._new_record(opening, context), None)

    async def _send(self, opening: Opening[T], context: CallContext, held: _Held) -> Ended[T]:
        record = held.record
        earlier = Earlier(record.doubtful, frozenset(record.answer_ids))
        try:
            value, facts = await opening.send(record.route, context, earlier)
        except CallError as error:
            told = failure(dataclasses.replace(error.failure, resend_before=resend_before(record)))
            await self._record_failure(opening, held, told)
            raise told from error
        key_id, sealed = self._keyring.seal(encode_result(value), purpose=opening.key)
        exists = opening.ids_of(value)
        settlement = dataclasses.replace(
            self._settlement("", facts),
            key_id=key_id,
            sealed_result=sealed,
            payment_method_id=exists.payment_method_id,
            payment_id=exists.payment_id,
        )
        await self._write(opening, held, dataclasses.replace(record, settlement=settlement, lease_until_s=0.0))
        return Ended(value, record.route, facts, _moment(record.opened_at_s), replayed=False)

    async def _hold(self, opening: Opening[T], context: CallContext) -> "_Held | Ended[T]":
        """Open the intent, wait for whoever holds it, take it over, or return its recorded end."""
        key = _store_key(opening.key)
        fresh = self._new_record(opening, context)
        poll_s = _POLL_S[0]
        await self._refuse_too_old(opening, key)
        while True:
            stored = await self._store.put_if_absent(key, encode_record(fresh), ttl_s=KEEP_S)
            if stored is None:
                return _Held(fresh, 1)
            record = decode_record(stored.value)
            _refuse_another_body({record.fingerprint.key_id: record.fingerprint}, opening)
            if record.settlement is not None:
                return self._replay(opening, record, record.settlement)
            self._refuse_expired(record)
            if self._leased_by_another(record):
                if self._clock.monotonic() + poll_s > context.deadline_s:
                    raise refuse(Reason.FLIGHT_GOES_ON, "another replica holds the intent")
                await asyncio.sleep(self._uniform(poll_s / 2, poll_s))
                poll_s = min(poll_s * 2, _POLL_S[1])
                continue
            taken = self._taken_over(record, context)
            if await self._store.compare_and_set(key, encode_record(taken), version=stored.version, ttl_s=KEEP_S):
                return _Held(taken, stored.version + 1)

    def _taken_over(self, record: IntentRecord, context: CallContext) -> IntentRecord:
        """Return the record of an unsettled intent as this flight goes on with it: same key, same route."""
        if not self._route_exists(record.route):
            raise refuse(Reason.ROUTE_GONE, f"tenant {record.route.tenant} on {record.route.host} is not configured")
        return dataclasses.replace(
            record,
            owner=self._entropy(8).hex(),
            lease_until_s=self._now_s() + LEASE_S,
            takeovers=record.takeovers + 1,
            # Whoever held it may have sent it, and has not said what came of it.
            doubtful=True,
            track_ids=newest(record.track_ids, context.track_id),
        )

    async def _guard_token(self, opening: Opening[T], context: CallContext, held: _Held) -> None:
        """Claim the one-time token for the intent; the record stays held, on its route, whatever the store does."""
        if not opening.guarded_token:
            return
        try:
            ours = await self._guard.claim(opening.guarded_token, owner=_store_key(opening.key))
        except StoreUnavailable as error:
            if opening.needs_store:
                await self._let_go(opening, held)
                raise refuse(Reason.STORE_UNAVAILABLE, str(error)) from error
            _LOG.warning("the token is not guarded", track_id=context.track_id, detail=str(error))
            return
        # An intent that may have used the token goes on: only that tells its caller what became of it.
        if not ours and not held.record.doubtful:
            await self._let_go(opening, held)
            raise refuse(Reason.APPLE_PAY_TOKEN_REUSED, "the token belongs to another intent")

    async def _let_go(self, opening: Opening[T], held: _Held) -> None:
        """Leave the intent as it was before this flight, which sent nothing."""
        if held.record.doubtful:
            await self._write(opening, held, dataclasses.replace(held.record, lease_until_s=0.0))
        elif held.version is not None:
            await self._quietly(self._store.compare_and_delete(_store_key(opening.key), version=held.version), opening)

    async def _record_failure(self, opening: Opening[T], held: _Held, error: CallError) -> None:
        record, verdict = held.record, error.verdict
        if verdict.outcome is Outcome.NOT_SENT and not record.doubtful:
            # Nothing was ever sent under this record, so the next call may start anew, on another route even.
            await self._release(opening, held)
            return
        facts = error.failure.facts
        ids = newest(record.answer_ids, facts.zuora_request_id, facts.zuora_process_id)
        ended = dataclasses.replace(record, lease_until_s=0.0, doubtful=True, answer_ids=ids)
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

    async def _release(self, opening: Opening[T], held: _Held) -> None:
        if held.version is None:
            return
        if opening.guarded_token:
            await self._quietly(self._guard.release(opening.guarded_token, owner=_store_key(opening.key)), opening)
        await self._quietly(self._store.compare_and_delete(_store_key(opening.key), version=held.version), opening)

    async def _write(self, opening: Opening[T], held: _Held, record: IntentRecord) -> None:
        """Write the end of a flight; if that fails, the next flight settles it again with the same key."""
        if held.version is None:
            return
        write = self._store.compare_and_set(
            _store_key(opening.key), encode_record(record), version=held.version, ttl_s=KEEP_S
        )
        await self._quietly(write, opening)

    async def _quietly(self, work: Awaitable[object], opening: Opening[T]) -> None:
        try:
            await work
        except StoreUnavailable as error:
            _LOG.warning("the end of a flight is not recorded", rpc=opening.rpc, detail=str(error))

    def _new_record(self, opening: Opening[T], context: CallContext) -> IntentRecord:
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

    def _replay(self, opening: Opening[T], record: IntentRecord, settlement: Settlement) -> Ended[T]:
        facts = UpstreamFacts(
            zuora_request_id=settlement.zuora_request_id,
            zuora_process_id=settlement.zuora_process_id,
            echoed_track_id=settlement.executed_track_id,
        )
        if settlement.reason:
            reason = Reason[settlement.reason]
            raise failure(Failure(reason, "recorded earlier", evidence=settlement.evidence, facts=facts))
        age_s = self._now_s() - settlement.settled_at_s
        if opening.stale_after_s is not None and age_s > opening.stale_after_s:
            limit = str(int(opening.stale_after_s))
            raise refuse(Reason.SESSION_STALE, f"settled {age_s:.0f} s ago", maxAgeSeconds=limit)
        try:
            clear = self._keyring.unseal(settlement.key_id, settlement.sealed_result, purpose=opening.key)
        except SealBroken as error:
            raise refuse(Reason.INTENT_EXPIRED, f"its result cannot be read: {error}") from error
        value = decode_result(clear, opening.result_type)
        return Ended(value, record.route, facts, _moment(record.opened_at_s), replayed=True)

    async def _refuse_too_old(self, opening: Opening[T], key: str) -> None:
        """Refuse a time-stamped request id from before Zuora's memory, unless a record tells what became of it."""
        if not self._is_too_old(opening):
            return
        try:
            recorded = await self._store.get(key) is not None
        except StoreUnavailable:
            recorded = False
        if not recorded:
            raise refuse(Reason.INTENT_EXPIRED, "its UUIDv7 is older than 23 hours and no record of it exists")

    def _is_too_old(self, opening: Opening[T]) -> bool:
        minted = minted_at(opening.request_id)
        return minted is not None and self._clock.now() - minted > RESEND_LIMIT

    def _earliest_send_s(self, opening: Opening[T]) -> float:
        minted = minted_at(opening.request_id)
        return 0.0 if minted is None else min(minted.timestamp(), self._now_s())

    def _refuse_expired(self, record: IntentRecord) -> None:
        if self._clock.now() > resend_before(record):
            raise refuse(Reason.INTENT_EXPIRED, "opened more than 23 hours ago and never settled")

    def _leased_by_another(self, record: IntentRecord) -> bool:
        return record.lease_until_s > 0 and self._now_s() < record.lease_until_s + CLOCK_SKEW_S

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _store_key(key: IdempotencyKey) -> str:
    return f"intent:{key}"


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _refuse_another_body(recorded: Mapping[str, Fingerprint], opening: Opening[Any]) -> None:
    """Refuse a request that differs from the one the intent was opened with."""
    comparable = next(((one, opening.fingerprints[key_id]) for key_id, one in recorded.items()
                       if key_id in opening.fingerprints), None)  # fmt: skip
    if comparable is None:
        raise refuse(Reason.INTENT_EXPIRED, "its fingerprint was made with a key that is gone")
    paths = differences(*comparable)
    if paths:
        description = (
            "differs from the request that this request_id was first used for; a changed request is a new intent"
        )
        violations = tuple(Violation(path, "intent.same", description) for path in paths)
        raise failure(Failure(Reason.INTENT_MISMATCH, f"differs in {', '.join(paths)}", violations=violations))
