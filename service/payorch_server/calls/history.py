"""The call history: records of ended calls by Track-Id and request id, in this process and in a shared store."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from payorch_server.calls.recording import CallRecord, naming_fields
from payorch_server.calls.settings import CallHistorySettings
from payorch_server.model.errors import call_error
from payorch_server.model.outcome import Reason
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.port import UNREADABLE, Store, StoreUnavailable

_LOG: Final = structlog.get_logger("payorch.calls")
_MAX_OF_ONE_TRACK_ID: Final = 10
_MAX_WAITING: Final = 1000
_TRIES: Final = 3
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[CallRecord, ...])


class CallHistory:
    """Keeps records of ended calls for a while. No call waits for it or fails because of it."""

    def __init__(
        self, *, settings: CallHistorySettings, store: Store, tasks: TaskOwner, is_shared: bool = False
    ) -> None:
        """Make an empty history.

        Args:
            settings: Of the history.
            store: Where other replicas find the records.
            tasks: Of the process.
            is_shared: Whether there are other replicas that the store is shared with.
        """
        self._settings = settings
        self._in_store = is_shared if settings.in_store is None else settings.in_store
        self._store = store
        self._tasks = tasks
        self._own: OrderedDict[tuple[str, str], tuple[CallRecord, ...]] = OrderedDict()
        # Track-Ids of those, by namespace and request id.
        self._of_requests: dict[tuple[str, str], dict[str, None]] = {}
        self._waiting: deque[CallRecord] = deque()
        self._writer: asyncio.Task[None] | None = None
        self.lost = 0
        """Records that did not reach the store."""

    def __repr__(self) -> str:
        return f"CallHistory({len(self._own)} Track-Ids, {len(self._waiting)} waiting, {self.lost} lost)"

    def add(self, record: CallRecord) -> None:
        """Keep the record of a call or an execution.

        A record without an identified caller is not kept: no caller may read it, and a flood of such calls would
        displace all others.
        """
        if not record.namespace:
            return
        key = (record.namespace, record.track_id)
        self._own[key] = _newest((*self._own.pop(key, ()), record))
        if record.request_id:
            self._of_requests.setdefault((record.namespace, record.request_id), {})[record.track_id] = None
        while len(self._own) > self._settings.max_in_memory:
            self._forget(*self._own.popitem(last=False)[1])
        if not self._in_store:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self.lost += 1
            return
        self._waiting.append(record)
        if self._writer is None or self._writer.done():
            self._writer = self._tasks.start_shared(self._write(), name="call records")

    async def of(self, track_id: str, *, namespace: str) -> Sequence[CallRecord]:
        """Return the records of a Track-Id in a namespace, oldest first.

        Raises:
            CallError: The store cannot be reached, and this process has no record; NOT_SENT.
        """
        found = self._own.get((namespace, track_id), ())
        if self._in_store:
            try:
                stored = await self._store.get(_store_key(namespace, track_id))
            except StoreUnavailable as error:
                if not found:
                    raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error
            else:
                found = _merge(_decode_records(stored.value) if stored else (), found)
        return list(found)

    def track_ids_of(self, request_id: str, *, namespace: str) -> Sequence[str]:
        """Return the Track-Ids of the calls with a request id that this process remembers."""
        return [*self._of_requests.get((namespace, request_id), ())]

    def _forget(self, *records: CallRecord) -> None:
        """Remove records from the index by request id."""
        for record in records:
            track_ids = self._of_requests.get((record.namespace, record.request_id), {})
            track_ids.pop(record.track_id, None)
            if not track_ids:
                self._of_requests.pop((record.namespace, record.request_id), None)

    async def _write(self) -> None:
        while self._waiting:
            records = self._next_of_one_track_id()
            try:
                written = await self._append(records)
            except (StoreUnavailable, ValueError) as error:
                _LOG.warning("call_not_recorded", **naming_fields(records[-1]), detail=str(error))
                written = False
            self.lost += 0 if written else len(records)

    def _next_of_one_track_id(self) -> tuple[CallRecord, ...]:
        """Take the next record, and those behind it that go to the same key: a call's follows its execution's."""
        records = [self._waiting.popleft()]
        key = (records[0].namespace, records[0].track_id)
        while self._waiting and (self._waiting[0].namespace, self._waiting[0].track_id) == key:
            records.append(self._waiting.popleft())
        return tuple(records)

    async def _append(self, records: tuple[CallRecord, ...]) -> bool:
        key, ttl_s = _store_key(records[0].namespace, records[0].track_id), self._settings.keep_s
        for _ in range(_TRIES):
            stored = await self._store.put_if_absent(key, _ENCODER.encode(_newest(records)), ttl_s=ttl_s)
            if stored is None:
                return True
            value = _ENCODER.encode(_newest((*_decode_records(stored.value), *records)))
            if await self._store.compare_and_set(key, value, version=stored.version, ttl_s=ttl_s):
                return True
        return False


def _newest(records: tuple[CallRecord, ...]) -> tuple[CallRecord, ...]:
    return records[-_MAX_OF_ONE_TRACK_ID:]


def _merge(stored: Sequence[CallRecord], own: Sequence[CallRecord]) -> tuple[CallRecord, ...]:
    """Return both, each record once: recent ones may be in this process alone."""
    both = [*stored, *(record for record in own if record not in stored)]
    return tuple(sorted(both, key=lambda record: record.started_at))


def _decode_records(value: bytes) -> tuple[CallRecord, ...]:
    """Return the records in a value, or none if another version wrote it and this version cannot read it."""
    try:
        return _DECODER.decode(value)
    except UNREADABLE:
        return ()


def _store_key(namespace: str, track_id: str) -> str:
    return f"call:{namespace}:{track_id}"
