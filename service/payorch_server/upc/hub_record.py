"""What the store holds of a request. It holds no value of the request; what the gateway said of the payer is sealed."""

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import msgspec

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - sealed from here on
from payorch_server.store.keyring import Keyring, SealBroken
from payorch_server.store.port import LATEST_S, MAX_VALUE_BYTES, UNREADABLE
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.request import FieldValue, HubRequest, JsonNumber, Payment, Refund, Validation

RECORD_VERSION: Final = 1
_RESERVE_BYTES: Final = 1_024
"""For what a record holds beside the sealed part."""
_LONGEST_S: Final = timedelta.max.total_seconds()
_RESULTS: Final = frozenset({"", *Result})


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """How a request ended for good."""

    situation: str
    """Name of the Situation."""
    result: str = ""
    """Name of the gateway's Result; empty where the gateway was not called."""
    code: str = ""
    transaction_id: str = ""
    second_transaction_id: str = ""
    ended_at_s: float = 0.0
    """Unix time."""


@dataclass(frozen=True, slots=True)
class HubRecord:
    """One payment or refund."""

    owner: str
    """Random name of the execution that holds the lease."""
    lease_until_s: float
    """Unix time; 0 when no execution holds it."""
    first_send_s: float
    """Unix time, before the gateway was called for the first time."""
    called_until_s: float
    """Unix time: the latest deadline of the calls so far."""
    key_id: str = ""
    """Key of the fingerprint; empty in the record of a request that the hub refused."""
    fingerprint: bytes = b""
    gateway: str = ""
    """Pinned: name in the settings."""
    described_as: str = ""
    """Pinned: `DescribeGateway.name`; empty where the gateway was not described."""
    remembered_s: float = 0.0
    """Pinned: the shortest `DescribeGateway.idempotent_for` since the first send, in seconds."""
    attempts: int = 1
    """Executions so far."""
    doubtful: bool = False
    """Whether an earlier execution may have called the gateway, or the record may follow one that was lost."""
    end: RecordedEnd | None = None
    version: int = RECORD_VERSION


@dataclass(frozen=True, slots=True)
class _SealedPart:
    """What a gateway said that may be about the payer."""

    message: str = ""
    text_changes: dict[str, str] = field(default_factory=dict)
    number_changes: dict[str, str] = field(default_factory=dict)
    other_changes: dict[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sealed:
    key_id: str
    value: bytes


_ENCODER: Final = msgspec.msgpack.Encoder()
_RECORDS: Final = msgspec.msgpack.Decoder(HubRecord)
_SEALED: Final = msgspec.msgpack.Decoder(_Sealed)
_PARTS: Final = msgspec.msgpack.Decoder(_SealedPart)


class RecordUnreadable(Exception):  # noqa: N818 - a state of the record
    """A record that this version cannot read, or whose key is gone."""


def record_key(key: str) -> str:
    """Return where the record of a request is stored."""
    return f"upc:{key}"


def answer_key(key: str, owner: str) -> str:
    """Return where the sealed part of its answer is stored: each execution has its own, as ends may differ."""
    return f"upc:{key}:answer:{owner}"


def encode_hub_record(record: HubRecord) -> bytes:
    """Return the record for the store."""
    return _ENCODER.encode(record)


def decode_hub_record(value: bytes) -> HubRecord:
    """Return the record from the store; members that a newer version added are ignored.

    Raises:
        RecordUnreadable: It is no record, of a newer version, or has values that no record can have.
    """
    try:
        record = _RECORDS.decode(value)
    except UNREADABLE as error:
        raise RecordUnreadable("its bytes are no record") from error
    if record.version != RECORD_VERSION:
        raise RecordUnreadable(f"it has version {record.version}")
    times_s = (
        record.lease_until_s,
        record.first_send_s,
        record.called_until_s,
        record.end.ended_at_s if record.end else 0.0,
    )
    # Not a number is in no range.
    if not all(0.0 <= time_s < LATEST_S for time_s in times_s) or not 0.0 <= record.remembered_s <= _LONGEST_S:
        raise RecordUnreadable("it has a time that no record can have")
    if record.end and record.end.result not in _RESULTS:
        raise RecordUnreadable("it has an unknown result")
    return record


def end_of(situation: str, outcome: GatewayOutcome | None, *, ended_at_s: float) -> RecordedEnd:
    """Return an end as a record holds it."""
    if outcome is None:
        return RecordedEnd(situation, ended_at_s=ended_at_s)
    return RecordedEnd(
        situation,
        outcome.result.value,
        outcome.code,
        outcome.transaction_id,
        outcome.second_transaction_id,
        ended_at_s,
    )


def outcome_of(end: RecordedEnd, sealed: GatewayOutcome | None) -> GatewayOutcome | None:
    """Return what the gateway said, as far as it is still kept; None where it was not called.

    Args:
        end: The recorded end.
        sealed: What the sealed part holds, or None where it is gone.
    """
    if not end.result:
        return None
    outcome = GatewayOutcome(Result(end.result), end.code, "", end.transaction_id, end.second_transaction_id)
    if sealed is None:
        return outcome
    return dataclasses.replace(outcome, message=sealed.message, token_data_changes=sealed.token_data_changes)


def seal_answer(outcome: GatewayOutcome, keyring: Keyring, *, place: str) -> bytes | None:
    """Return the part of an outcome that is sealed for its `answer_key`; None where there is none.

    What is too large for the store is left out: the token data first, then the message.
    """
    changes = reveal(outcome.token_data_changes)
    part = _SealedPart(
        outcome.message,
        {name: value for name, value in changes.items() if isinstance(value, str)},
        {name: value.text for name, value in changes.items() if isinstance(value, JsonNumber)},
        {name: value for name, value in changes.items() if value is None or isinstance(value, bool)},
    )
    if part == _SealedPart():
        return None
    for smaller in (part, _SealedPart(outcome.message)):
        clear = _ENCODER.encode(smaller)
        if len(clear) <= MAX_VALUE_BYTES - _RESERVE_BYTES:
            return _ENCODER.encode(_Sealed(*keyring.seal(clear, purpose=place)))
    return None


def unseal_answer(value: bytes, keyring: Keyring, *, place: str) -> GatewayOutcome | None:
    """Return message and token data of a sealed part; None where its key is gone or it was changed."""
    try:
        sealed = _SEALED.decode(value)
        part = _PARTS.decode(keyring.unseal(sealed.key_id, sealed.value, purpose=place))
    except (SealBroken, *UNREADABLE):
        return None
    changes: dict[str, FieldValue] = {**part.text_changes, **part.other_changes}
    changes |= {name: JsonNumber(text) for name, text in part.number_changes.items()}
    return GatewayOutcome(Result.APPROVED, message=part.message, token_data_changes=Secret(changes))


def fingerprint_of(request: HubRequest, keyring: Keyring, *, key_id: str) -> bytes:
    """Return a keyed hash of what must be the same in every send of a request.

    Raises:
        RecordUnreadable: The key is not configured any more.
    """
    if key_id not in keyring.key_ids:
        raise RecordUnreadable(f"its fingerprint needs the key {key_id}, which is not configured")
    return keyring.keyed_hash(key_id, _ENCODER.encode([request.method.type.lower(), *_frozen_values(request)]))


def validation_fingerprint(request: HubRequest, keyring: Keyring, *, gateway: str) -> str:
    """Return 40 hexadecimal digits that sends of one validation share.

    Args:
        request: A validation.
        keyring: Of the fleet.
        gateway: Name in the settings of the gateway that is called: each hub may have its own.
    """
    values: list[Any] = [
        gateway,
        request.tenant_id,
        request.gateway_name,
        [request.account.number, request.account.currency],
        request.method.type.lower(),
        *_frozen_values(request),
        sorted((name, _plain(value)) for name, value in reveal(request.method.token_data).items()),
        sorted(reveal(request.gateway_options).items()),
        reveal(request.other_members),
    ]
    return keyring.keyed_hash(keyring.key_ids[0], _ENCODER.encode(values)).hex()[:40]


def _plain(value: FieldValue) -> list[str]:
    text = value.text if isinstance(value, JsonNumber) else value
    return [type(value).__name__, str(text)]


def _frozen_values(request: HubRequest) -> list[str]:
    match request.subject:
        case Payment() as payment:
            return [request.method.id, _text_of(payment.amount.value), payment.amount.currency]
        case Refund() as refund:
            return [request.method.id, _text_of(refund.amount), refund.payment_id]
        case Validation(auth_amount=amount):
            return [request.method.id, *([_text_of(amount.value), amount.currency] if amount else [])]


def _text_of(amount: Any) -> str:
    """Return equal texts for equal amounts, such as 200 and 200.00."""
    return format(amount.normalize(), "f")
