"""What operators look for: the calls of a Track-Id or a request id, and the intents that are in doubt."""

import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import error_reason_pb2

from payorch_server.calls.history import CallHistory
from payorch_server.calls.recording import CallRecord
from payorch_server.intents.executor import idempotency_key
from payorch_server.intents.intent_record import IntentRecord, IntentRecordUnreadable, IntentStatus, resend_before
from payorch_server.intents.ledger import IntentLedger
from payorch_server.intents.unsettled import UnsettledIntent, UnsettledIntents
from payorch_server.model.errors import Violation
from payorch_server.model.identifiers import TRACK_ID_RULE, RequestId, TrackId, parse_request_id, parse_track_id
from payorch_server.model.operation import ROUTED_RPCS
from payorch_server.rpc.encode import encode_intent, encode_unreadable_intent
from payorch_server.rpc.track_ids import recorded_request_ids, recorded_track_ids
from payorch_server.rpc.validation import Check
from payorch_server.runtime.clock import Clock
from payorch_server.store.keyring import PSEUDONYM_PREFIX, Keyring

_DEFAULT_RESULTS: Final = 100
REASONS: Final = {name.removeprefix("ERROR_REASON_"): number for name, number in error_reason_pb2.ErrorReason.items()}
"""By the name of the Reason. A replica of a newer version may have stored some that this one does not know."""
_UNREADABLE: Final = error_reason_pb2.ERROR_REASON_INTENT_RECORD_UNREADABLE
_REQUEST_ID_RULE: Final = "must be 16 to 128 characters from 0x21 to 0x7E, or the keyed hash of such an id in the log"


@dataclass(frozen=True, slots=True)
class _Found:
    """An intent of a request id."""

    rpc: str
    namespace: str
    record: IntentRecord | IntentRecordUnreadable


class OperatorSearch:
    """Finds calls and intents for operators, in namespaces that they may ask about."""

    def __init__(
        self,
        *,
        call_history: CallHistory,
        ledger: IntentLedger,
        unsettled: UnsettledIntents,
        keyring: Keyring,
        clock: Clock,
    ) -> None:
        self._call_history = call_history
        self._ledger = ledger
        self._unsettled = unsettled
        self._keyring = keyring
        self._clock = clock

    async def calls_of(self, track_id: TrackId, *, namespaces: Sequence[str]) -> list[CallRecord]:
        """Return the records of a Track-Id, given by its caller or as it is shown, oldest first.

        Raises:
            CallError: The store cannot be reached, and this process has no record; NOT_SENT.
        """
        recorded = recorded_track_ids(track_id, self._keyring)
        names = itertools.product(namespaces, recorded)
        found = [await self._call_history.of(name, namespace=namespace) for namespace, name in names]
        return _in_order(itertools.chain(*found))

    def shown_track_id(self, track_id: TrackId) -> TrackId:
        """Return under what a Track-Id is shown and recorded."""
        return recorded_track_ids(track_id, self._keyring)[0]

    async def look_up(
        self, request_id: str, *, namespaces: Sequence[str]
    ) -> tuple[list[CallRecord], list[diagnostics_pb2.IntentReport]]:
        """Return the calls and the intents of a request id.

        The records of its intents name the Track-Ids of its executions; those of other calls this process alone knows.

        Raises:
            CallError: The store cannot be reached; NOT_SENT.
        """
        shown = _shown_forms(request_id, self._keyring)
        intents = [found async for found in self._intents_of(request_id, namespaces)]
        calls: list[CallRecord] = []
        for namespace in namespaces:
            track_ids = [
                name for found in intents if found.namespace == namespace for name in _track_ids_of(found.record)
            ]
            for form in shown:
                track_ids += self._call_history.track_ids_of(form, namespace=namespace)
            for track_id in dict.fromkeys(track_ids):
                records = await self._call_history.of(track_id, namespace=namespace)
                # An earlier version has recorded none.
                calls += [record for record in records if record.request_id in {*shown, ""}]
        return _in_order(calls), [self._report(found, shown[0]) for found in intents]

    async def unsettled(
        self, request: diagnostics_pb2.ListUnsettledIntentsRequest, *, namespaces: Sequence[str]
    ) -> diagnostics_pb2.ListUnsettledIntentsResponse:
        """Return the response.

        Raises:
            CallError: The store cannot be reached; NOT_SENT.
        """
        at_most = request.max_results or _DEFAULT_RESULTS
        found = await self._unsettled.read(namespaces=namespaces, tenant=request.tenant, at_most=at_most)
        intents = [self._report_of_note(note, record) for note, record in found.intents]
        return diagnostics_pb2.ListUnsettledIntentsResponse(intents=intents, incomplete=found.incomplete)

    async def _intents_of(self, request_id: str, namespaces: Sequence[str]) -> AsyncIterator[_Found]:
        if parsed := parse_request_id(request_id):
            for namespace, rpc in itertools.product(namespaces, ROUTED_RPCS):
                key = idempotency_key(namespace=namespace, rpc=rpc, request_id=parsed)
                try:
                    record: IntentRecord | IntentRecordUnreadable | None = await self._ledger.look_up(key)
                except IntentRecordUnreadable as error:
                    record = error
                if record is not None:
                    yield _Found(rpc, namespace, record)

    def _report(self, found: _Found, request_id: str) -> diagnostics_pb2.IntentReport:
        if isinstance(found.record, IntentRecordUnreadable):
            return diagnostics_pb2.IntentReport(
                rpc=found.rpc,
                namespace=found.namespace,
                request_id=request_id,
                error_reason=_UNREADABLE,
                status=encode_unreadable_intent(rpc=found.rpc),
            )
        route, track_ids = found.record.route, found.record.track_ids
        return diagnostics_pb2.IntentReport(
            rpc=found.rpc,
            namespace=found.namespace,
            request_id=request_id,
            tenant=route.tenant,
            entity=route.entity,
            track_id=track_ids[-1] if track_ids else "",
            status=encode_intent(self._status(found.record), rpc=found.rpc),
        )

    def _report_of_note(
        self, note: UnsettledIntent, record: IntentRecord | IntentRecordUnreadable | None
    ) -> diagnostics_pb2.IntentReport:
        report = diagnostics_pb2.IntentReport(
            rpc=note.rpc,
            namespace=note.namespace,
            request_id=note.request_id,
            caller=note.caller,
            tenant=note.tenant,
            entity=note.entity,
            track_id=note.track_id,
            error_reason=REASONS.get(note.reason, error_reason_pb2.ERROR_REASON_UNSPECIFIED),
        )
        if isinstance(record, IntentRecordUnreadable):
            report.error_reason = _UNREADABLE
            report.status.CopyFrom(encode_unreadable_intent(rpc=note.rpc))
        else:
            report.status.CopyFrom(encode_intent(self._status(record) if record else None, rpc=note.rpc))
        report.unsettled_since_time.FromDatetime(note.noted_at)
        return report

    def _status(self, record: IntentRecord) -> IntentStatus:
        expired = record.settlement is None and self._clock.now() > resend_before(record)
        return IntentStatus(record, in_flight=self._ledger.is_in_flight(record), expired=expired)


def _shown_forms(request_id: str, keyring: Keyring) -> tuple[str, ...]:
    if request_id.startswith(PSEUDONYM_PREFIX):
        return (request_id,)
    return recorded_request_ids(RequestId(request_id), keyring)


def _track_ids_of(record: IntentRecord | IntentRecordUnreadable) -> tuple[str, ...]:
    return record.track_ids if isinstance(record, IntentRecord) else ()


def _in_order(records: Iterable[CallRecord]) -> list[CallRecord]:
    """Return records as they are read: by their begin, and a call before the execution that it started."""
    return sorted(records, key=_begin)


def _begin(record: CallRecord) -> tuple[datetime, bool]:
    return record.started_at, record.kind == "execution"


def get_call_violations(request: Any) -> Iterator[Violation]:
    """Find what is wrong with a GetCallRequest beyond the rules in the proto."""
    if bool(request.track_id) == bool(request.request_id):
        yield Violation("track_id", "one_of", "give exactly one of track_id and request_id")
    elif request.track_id and parse_track_id(request.track_id) is None:
        yield Violation("track_id", "track_id", TRACK_ID_RULE)
    elif request.request_id and parse_request_id(request.request_id) is None:
        yield Violation("request_id", "request_id", _REQUEST_ID_RULE)


GET_CALL_CHECKS: Final[Mapping[str, Check]] = {"payorch.v1.GetCallRequest": get_call_violations}
"""Checks of decoding beyond the rules in the protos, by request type."""
