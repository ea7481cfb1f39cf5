"""What an error of the service carries, as typed values."""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from payorch.v1 import call_pb2

_DETAILS_KEY: Final = "grpc-status-details-bin"
_DOMAIN: Final = "payorch"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One broken rule of a request."""

    field: str
    """Path of the field."""
    rule: str
    """Stable name of the rule."""
    description: str
    """What must hold."""


@dataclass(frozen=True, slots=True)
class CallError:
    """An error status, decoded.

    An error that carries no CallOutcome, such as one made by a proxy, means: outcome UNKNOWN, advice resend with the
    same request id. So these are the defaults, also for words that this version does not know.
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    """Name of the ErrorReason without its prefix; empty if the error was not made by the service."""
    outcome: call_pb2.Outcome.ValueType = call_pb2.OUTCOME_UNKNOWN
    advice: call_pb2.Advice.ValueType = call_pb2.ADVICE_RESEND_SAME_REQUEST_ID
    track_id: str = ""
    violations: tuple[FieldViolation, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    """Of the ErrorInfo."""
    retry_delay_s: float | None = None
    zuora_codes: tuple[str, ...] = ()
    """As Zuora sent them."""
    resend_before_time: datetime | None = None
    """Until when the same request is safe to be sent again, UTC; None where the advice is not to."""
    call_outcome: call_pb2.CallOutcome | None = None
    """Everything else: Zuora's ids, attempts, what exists."""
    hint: str = ""
    """What may be wrong with the connection, where none could be made; empty otherwise."""

    @classmethod
    def from_rpc_error(cls, error: grpc.RpcError) -> "CallError":
        """Read the details of an error that a stub raised, synchronous or asyncio."""
        call: Any = error  # grpc declares these methods on what it raises, not on RpcError.
        packed = next((value for key, value in call.trailing_metadata() or () if key == _DETAILS_KEY), b"")
        try:
            status = status_pb2.Status.FromString(packed)
        except DecodeError:
            status = status_pb2.Status()
        info = _info(status)
        bad = _detail(status, error_details_pb2.BadRequest)
        retry = _detail(status, error_details_pb2.RetryInfo)
        told = _detail(status, call_pb2.CallOutcome)
        return cls(
            code=call.code(),
            message=call.details() or "",
            reason=info.reason if info else "",
            outcome=_outcome(told),
            advice=_known(call_pb2.Advice, told.advice if told else 0, call_pb2.ADVICE_RESEND_SAME_REQUEST_ID),
            track_id=told.track_id if told else "",
            violations=_violations(bad) if bad else (),
            metadata=dict(info.metadata) if info else {},
            retry_delay_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry else None,
            zuora_codes=tuple(told.zuora_codes) if told else (),
            resend_before_time=_resend_before_time(told),
            call_outcome=told,
        )


def _info(status: Any) -> Any | None:
    """Return the service's ErrorInfo; another domain's reason is not ours to read."""
    info = _detail(status, error_details_pb2.ErrorInfo)
    return info if info is not None and info.domain == _DOMAIN else None


def _known(enum: Any, value: int, otherwise: Any) -> Any:
    """Return a value that this version has a word for; an unset or newer one means what the contract says of none."""
    return value if value and value in enum.values() else otherwise


def _outcome(told: call_pb2.CallOutcome | None) -> call_pb2.Outcome.ValueType:
    """Return what happened; an error that claims a success contradicts itself, and says nothing certain."""
    outcome: call_pb2.Outcome.ValueType = _known(
        call_pb2.Outcome, told.outcome if told else 0, call_pb2.OUTCOME_UNKNOWN
    )
    return call_pb2.OUTCOME_UNKNOWN if outcome == call_pb2.OUTCOME_SUCCEEDED else outcome


def _detail(status: Any, kind: Any) -> Any | None:
    """Return the status's detail of a kind, or None."""
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            message = kind()
            # One that cannot be read proves nothing.
            with contextlib.suppress(DecodeError):
                detail.Unpack(message)
                return message
    return None


def _resend_before_time(told: call_pb2.CallOutcome | None) -> datetime | None:
    if told is None or not told.HasField("resend_before_time"):
        return None
    try:
        return told.resend_before_time.ToDatetime(UTC)
    except (ValueError, OverflowError):  # no time that there is
        return None


def _violations(bad: Any) -> tuple[FieldViolation, ...]:
    return tuple(
        FieldViolation(violation.field, violation.reason, violation.description) for violation in bad.field_violations
    )
