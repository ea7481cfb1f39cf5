"""The intents in doubt: those whose last execution ended UNKNOWN, and that nothing has settled since.

Each process notes its own, and where the store is shared there too. A note is a hint alone: whether an intent is still
in doubt is decided by its record, whenever the list is read.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from payorch_server.calls.recording import CallRecord
from payorch_server.intents.intent_record import (
    IntentRecord,
    IntentRecordUnreadable,
    decode_record,
    reason_of,
    store_key,
)
from payorch_server.intents.ledger import KEEP_S
from payorch_server.model.errors import call_error
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import VERDICTS, Outcome, Reason
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.port import UNREADABLE, Store, StoreUnavailable

_LOG: Final = structlog.get_logger("payorch.intents")
MAX_OWN: Final = 10_000
"""Intents that this process notes at most; beyond it the oldest note is lost."""
_BUCKETS: Final = 64
_MAX_OF_A_BUCKET: Final = 120
"""Notes in one value of the store, which takes 64 KiB."""
_TRIES: Final = 5
_AT_ONCE: Final = 8
"""Reads at a time: calls share the connections to the store."""
_UNKNOWN: Final = Outcome.UNKNOWN.name


class UnsettledIntent(msgspec.Struct, frozen=True):
    """A note that an intent is in doubt. Nothing sensitive is in it."""

    key: str
    """Its idempotency key, which reveals nothing of the request."""
    rpc: str
    namespace: str
    request_id: str
    """As it is shown."""
    track_id: str
    """Of the execution that left it in doubt."""
    caller: str
    tenant: str
    entity: str
    reason: str
    noted_at: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class UnsettledList:
    """Intents in doubt with their records, the one that has been in doubt for longest first."""

    intents: Sequence[tuple[UnsettledIntent, IntentRecord | IntentRecordUnreadable | None]]
    """The record is None where the store has none, because the intent was not recorded or its record is gone."""
    incomplete: bool
    """Whether there are more, or some could not be noted."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[UnsettledIntent, ...])


class UnsettledIntents:
    """Notes which intents are in doubt. No execution waits for it or fails because of it."""

    def __init__(self, *, store: Store, clock: Clock, tasks: TaskOwner, is_shared: bool) -> None:
        """Make an empty list.

        Args:
            store: Has the records of the intents, and the notes of other processes.
            clock: Time.
            tasks: Of the process.
            is_shared: Whether there are other processes that the store is shared with.
        """
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._is_shared = is_shared
        self._own: dict[str, UnsettledIntent] = {}
        self._waiting: deque[UnsettledIntent] = deque(maxlen=MAX_OWN)
        self._writer: asyncio.Task[None] | None = None
        self._lost = 0

    def __repr__(self) -> str:
        return f"UnsettledIntents({len(self._own)} noted here, {self._lost} lost)"

    def note(self, record: CallRecord, key: IdempotencyKey) -> None:
        """Note how an execution of an intent ended."""
        if record.outcome != _UNKNOWN:
            self._own.pop(key, None)
            return
        if key in self._own:
            return
        noted = _note_of(record, key, self._clock.now())
        self._own[key] = noted
        if len(self._own) > MAX_OWN:
            self._lost += 1
            del self._own[next(iter(self._own))]
        if self._is_shared:
            self._waiting.append(noted)
            if self._writer is None or self._writer.done():
                self._writer = self._tasks.start_shared(self._write(), name="unsettled intents")

    async def read(self, *, namespaces: Iterable[str], tenant: str, at_most: int) -> UnsettledList:
        """Return the intents in doubt of some namespaces.

        Args:
            namespaces: Whose intents.
            tenant: Where they were sent; empty: anywhere.
            at_most: How many to return.

        Raises:
            CallError: The store cannot be reached; NOT_SENT.
        """
        wanted = frozenset(namespaces)
        try:
            noted = await self._noted() if self._is_shared else self._own
            candidates = sorted(
                (note for note in noted.values() if note.namespace in wanted and tenant in {"", note.tenant}),
                key=lambda note: note.noted_at,
            )
            return await self._still_in_doubt(candidates, at_most)
        except StoreUnavailable as error:
            raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error

    async def _noted(self) -> Mapping[str, UnsettledIntent]:
        values = [
            stored
            for start in range(0, _BUCKETS, _AT_ONCE)
            for stored in await asyncio.gather(
                *(self._store.get(_bucket_key(number)) for number in range(start, start + _AT_ONCE))
            )
        ]
        notes = (note for stored in values if stored for note in _decode_notes(stored.value))
        return {note.key: note for note in notes} | self._own

    async def _still_in_doubt(self, candidates: Sequence[UnsettledIntent], at_most: int) -> UnsettledList:
        found: list[tuple[UnsettledIntent, IntentRecord | IntentRecordUnreadable | None]] = []
        settled: list[UnsettledIntent] = []
        for start in range(0, len(candidates), _AT_ONCE):
            if len(found) > at_most:
                break
            notes = candidates[start : start + _AT_ONCE]
            records = await asyncio.gather(*map(self._record_of, notes))
            for note, record in zip(notes, records, strict=True):
                if not isinstance(record, IntentRecord) or is_in_doubt(record):
                    found.append((note, record))
                else:
                    settled.append(note)
        await self._forget(settled)
        return UnsettledList(found[:at_most], incomplete=len(found) > at_most or self._lost > 0)

    async def _record_of(self, note: UnsettledIntent) -> IntentRecord | IntentRecordUnreadable | None:
        try:
            stored = await self._store.get(store_key(IdempotencyKey(note.key)))
            return decode_record(stored.value) if stored else None
        except IntentRecordUnreadable as error:
            return error
        except StoreUnavailable as error:
            if error.is_foreign:
                return IntentRecordUnreadable(str(error))
            raise

    async def _forget(self, settled: Sequence[UnsettledIntent]) -> None:
        """Remove the notes of intents that were settled, here or by another process."""
        gone = {note.key for note in settled}
        for key in gone:
            self._own.pop(key, None)
        if self._is_shared:
            for number in {_bucket_of(key) for key in gone}:
                await self._change(number, (), gone)

    async def _write(self) -> None:
        while self._waiting:
            waiting = [*self._waiting]
            self._waiting.clear()
            buckets: dict[int, list[UnsettledIntent]] = {}
            for note in waiting:
                buckets.setdefault(_bucket_of(note.key), []).append(note)
            for number, notes in buckets.items():
                try:
                    written = await self._change(number, notes, frozenset())
                except (StoreUnavailable, ValueError) as error:
                    _LOG.warning("unsettled_not_noted", intents=len(notes), detail=str(error))
                    written = False
                self._lost += 0 if written else len(notes)

    async def _change(self, number: int, more: Sequence[UnsettledIntent], gone: Iterable[str]) -> bool:
        """Add notes to a bucket and remove others; return False if other processes were faster each time."""
        key, oldest = _bucket_key(number), self._clock.now() - timedelta(seconds=KEEP_S)
        for _ in range(_TRIES):
            stored = await self._store.get(key)
            kept = {note.key: note for note in (*(_decode_notes(stored.value) if stored else ()), *more)}
            notes = [note for note in kept.values() if note.key not in gone and note.noted_at > oldest]
            self._lost += max(len(notes) - _MAX_OF_A_BUCKET, 0)
            value = _ENCODER.encode(tuple(notes[:_MAX_OF_A_BUCKET]))
            if stored is None:
                if await self._store.put_if_absent(key, value, ttl_s=KEEP_S) is None:
                    return True
            elif await self._store.compare_and_set(key, value, version=stored.version, ttl_s=KEEP_S):
                return True
        return False


def is_in_doubt(record: IntentRecord) -> bool:
    """Return whether the outcome of an intent is not known: it is unsettled, or was settled as UNKNOWN."""
    if record.settlement is None:
        return True
    reason = reason_of(record.settlement)
    return reason is not None and VERDICTS[reason].outcome is Outcome.UNKNOWN


def _note_of(record: CallRecord, key: str, now: datetime) -> UnsettledIntent:
    return UnsettledIntent(
        key=key,
        rpc=record.rpc,
        namespace=record.namespace,
        request_id=record.request_id,
        track_id=record.track_id,
        caller=record.caller,
        tenant=record.route.tenant,
        entity=record.route.entity,
        reason=record.reason,
        noted_at=now,
    )


def _bucket_of(key: str) -> int:
    # The last digits of a hash.
    return int(key[-2:], 16) % _BUCKETS


def _bucket_key(number: int) -> str:
    return f"unsettled:{number}"


def _decode_notes(value: bytes) -> tuple[UnsettledIntent, ...]:
    """Return the notes in a value, or none if another version wrote it and this version cannot read it."""
    try:
        return _DECODER.decode(value)
    except UNREADABLE:
        return ()
