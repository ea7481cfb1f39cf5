"""The call history: records of ended calls by Track-Id, in this process and, if configured, in the store."""

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
from payorch_server.store.port import Store, StoreUnavailable

_LOG: Final = structlog.get_logger("payorch.calls")
_MAX_OF_ONE_TRACK_ID: Final = 10
_MAX_WAITING: Final = 1000
_TRIES: Final = 3
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[CallRecord, ...])


class CallHistory:
    """Keeps records of ended calls for a while. No call waits for it or fails because of it."""

    def __init__(self, *, settings: CallHistorySettings, store: Store, tasks: TaskOwner) -> None:
        self._settings = settings
        self._store = store
        self._tasks = tasks
        self._own: OrderedDict[tuple[str, str], tuple[CallRecord, ...]] = OrderedDict()
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
        while len(self._own) > self._settings.max_in_memory:
            self._own.popitem(last=False)
        if not self._settings.in_store:
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
        if self._settings.in_store:
            try:
                stored = await self._store.get(_store_key(namespace, track_id))
            except StoreUnavailable as error:
                if not found:
                    raise call_error(Reason.STORE_UNAVAILABLE, str(error)) from error
            else:
                found = _merge(_decode_records(stored.value) if stored else (), found)
        return list(found)

    async def _write(self) -> None:
        while self._waiting:
            record = self._waiting.popleft()
            try:
                written = await self._append(record)
            except (StoreUnavailable, ValueError) as error:
                _LOG.warning("call_not_recorded", **naming_fields(record), detail=str(error))
                written = False
            self.lost += not written

    async def _append(self, record: CallRecord) -> bool:
        key, ttl_s = _store_key(record.namespace, record.track_id), self._settings.keep_s
        for _ in range(_TRIES):
            stored = await self._store.put_if_absent(key, _ENCODER.encode((record,)), ttl_s=ttl_s)
            if stored is None:
                return True
            value = _ENCODER.encode(_newest((*_decode_records(stored.value), record)))
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
    except msgspec.DecodeError:
        return ()


def _store_key(namespace: str, track_id: str) -> str:
    return f"call:{namespace}:{track_id}"
