"""What the store holds of an intent. It holds no value of a request and no credential; results are sealed."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from payorch_server.intents.intent import Fingerprint
from payorch_server.intents.process_memory import SentIntent
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.identifiers import RESEND_LIMIT, IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - results are sealed from here on
from payorch_server.store.port import LATEST_S, UNREADABLE

VERSION: Final = 1
_MAX_IDS: Final = 10
_UUID_7: Final = 7
# The id of a call is looked at some three times, by one step after the other.
_MAX_REQUEST_IDS: Final = 256
_MILLISECONDS_BITS: Final = 80


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """Evidence as a record stores it.

    It is a type of its own because the bytes of records are frozen: they have the member `gateway_codes`, which was
    never filled and is empty in every record, and which UpstreamEvidence does not have.
    """

    zuora_codes: tuple[str, ...] = ()
    gateway_codes: tuple[str, ...] = ()
    payment_method_id: str = ""
    payment_id: str = ""
    retry_after_s: float | None = None


def stored_evidence(evidence: UpstreamEvidence) -> StoredEvidence:
    """Return evidence as a record stores it."""
    return StoredEvidence(
        zuora_codes=evidence.zuora_codes,
        payment_method_id=evidence.payment_method_id,
        payment_id=evidence.payment_id,
        retry_after_s=evidence.retry_after_s,
    )


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an intent ended."""

    reason: str
    """Name of the Reason; empty for success."""
    evidence: StoredEvidence = field(default_factory=StoredEvidence)
    zuora_request_id: str = ""
    zuora_process_id: str = ""
    executed_track_id: str = ""
    key_id: str = ""
    """Key of the sealed result."""
    sealed_result: bytes = b""
    settled_at_s: float = 0.0
    """Unix time."""
    payment_method_id: str = ""
    payment_id: str = ""
    """Objects that exist because of the intent; empty when none is known."""


def reason_of(settlement: Settlement) -> Reason | None:
    """Return why an intent failed, or None for success; a reason that a newer version added is an unknown one."""
    return Reason.__members__.get(settlement.reason, Reason.UPSTREAM_CODE_UNKNOWN) if settlement.reason else None


def evidence_of(settlement: Settlement) -> UpstreamEvidence:
    """Return the evidence that a settlement stores."""
    stored = settlement.evidence
    return UpstreamEvidence(
        zuora_codes=stored.zuora_codes,
        payment_method_id=stored.payment_method_id,
        payment_id=stored.payment_id,
        retry_after_s=stored.retry_after_s,
    )


def existing(settlement: Settlement) -> UpstreamEvidence:
    """Return the ids of what exists because of the intent."""
    return UpstreamEvidence(payment_method_id=settlement.payment_method_id, payment_id=settlement.payment_id)


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """One intent."""

    fingerprint: Fingerprint
    route: Route
    """Pinned: an opened intent keeps its route."""
    owner: str
    """Random name of the execution that holds the lease."""
    lease_until_s: float
    """Unix time; 0 when no execution holds it."""
    opened_at_s: float
    """Unix time, before the first byte was sent."""
    version: int = VERSION
    takeovers: int = 0
    """How often another execution took it over."""
    passed_guard: bool = False
    """Whether an execution of it owned its one-time token, so that only this intent can have used it."""
    doubtful: bool = False
    """Whether a send may have been executed without a recorded answer."""
    answer_ids: tuple[str, ...] = ()
    """Zuora-Request-Ids and processIds of answers so far, hashed, the newest; see answer_ids.AnswerIds."""
    track_ids: tuple[str, ...] = ()
    """Of the executions so far, the newest."""
    settlement: Settlement | None = None
    earliest_send_s: float = 0.0
    """Unix time before which nothing can have been sent, from a UUIDv7: this record may follow one that was lost.
    0 when it is not known."""


class IntentRecordUnreadable(Exception):  # noqa: N818 - a state of the record
    """A record is there, and this version cannot read it. It may be damaged, and any outcome is possible."""


def store_key(key: IdempotencyKey) -> str:
    """Return where the record of an intent is stored."""
    return f"intent:{key}"


def opened_at(record: IntentRecord) -> datetime:
    """Return when the intent was opened, UTC, in whole microseconds as callers received it."""
    return datetime.fromtimestamp(record.opened_at_s, UTC)


def first_send(record: IntentRecord) -> datetime:
    """Return the moment before which nothing of the intent was sent, UTC."""
    return datetime.fromtimestamp(record.earliest_send_s, UTC) if record.earliest_send_s else opened_at(record)


def resend_before(record: IntentRecord) -> datetime:
    """Return until when a resend of the intent is safe, UTC."""
    return first_send(record) + RESEND_LIMIT


def sent_intent(record: IntentRecord) -> SentIntent:
    """Return what a process remembers of an intent that may have been sent."""
    has_failed = record.settlement is not None and record.settlement.reason
    return SentIntent(record.route, record.opened_at_s, encode_record(record) if has_failed else b"")


@lru_cache(maxsize=_MAX_REQUEST_IDS)
def minted_at(request_id: str) -> datetime | None:
    """Return when a UUIDv7 was made, or None for any other request id.

    Source: RFC 9562, section 5.7: the first 48 bits are Unix time in milliseconds.
    """
    try:
        parsed = uuid.UUID(request_id)
    except ValueError:
        return None
    if parsed.version != _UUID_7:
        return None
    try:
        return datetime.fromtimestamp((parsed.int >> _MILLISECONDS_BITS) / 1000, UTC)
    except (ValueError, OverflowError):
        # 48 bits of milliseconds reach the year 10889, a date only the year 9999.
        return None


@dataclass(frozen=True, slots=True)
class IntentStatus:
    """An intent as the store knows it."""

    record: IntentRecord
    in_flight: bool
    expired: bool
    """Whether it was never settled and can no longer be resent."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(IntentRecord)


def encode_record(record: IntentRecord) -> bytes:
    """Return the record for the store."""
    return _ENCODER.encode(record)


def decode_record(value: bytes) -> IntentRecord:
    """Return the record from the store; members that a newer version added are ignored.

    Raises:
        IntentRecordUnreadable: It is no record, or has times that no record can have.
    """
    try:
        record = _DECODER.decode(value)
    except UNREADABLE as error:
        raise IntentRecordUnreadable("its bytes are no record") from error
    times_s = [record.lease_until_s, record.opened_at_s, record.earliest_send_s]
    if record.settlement is not None:
        times_s += [record.settlement.settled_at_s, record.settlement.evidence.retry_after_s or 0.0]
    # Not a number is in no range.
    if not all(0.0 <= time_s < LATEST_S for time_s in times_s):
        raise IntentRecordUnreadable("it has a time that no record can have")
    return record


def append_recent(ids: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """Return the ids and more, without empty and repeated ones, the newest ten."""
    return tuple(dict.fromkeys(text for text in (*ids, *more) if text))[-_MAX_IDS:]


def encode_result(value: Any) -> bytes:
    """Return a result as bytes to be sealed."""
    return msgspec.json.encode(value, enc_hook=_clear)


def decode_result(value: bytes, result_type: Any) -> Any:
    """Return the result of a type from unsealed bytes.

    Raises:
        IntentRecordUnreadable: It is no result of this type.
    """
    try:
        return msgspec.json.decode(value, type=result_type, dec_hook=lambda _type, clear: Secret(clear))
    except UNREADABLE as error:
        raise IntentRecordUnreadable("its result has another form") from error


def _clear(value: Any) -> Any:
    if isinstance(value, Secret):
        return reveal(value)
    raise TypeError(f"A {type(value).__name__} is no part of a result.")
