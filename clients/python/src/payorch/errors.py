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
            outcome=_known(call_pb2.Outcome, told.outcome if told else 0, call_pb2.OUTCOME_UNKNOWN),
            advice=_known(call_pb2.Advice, told.advice if told else 0, call_pb2.ADVICE_RESEND_SAME_REQUEST_ID),
            track_id=told.track_id if told else "",
            violations=_violations(bad) if bad else (),
            metadata=dict(info.metadata) if info else {},
            retry_delay_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry else None,
            zuora_codes=tuple(told.zuora_codes) if told else (),
            resend_before_time=_resend_before_time(told),
            call_outcome=told,
        )


class PayorchError(Exception):
    """A call that failed. The subclass says what happened at Zuora, `error.advice` what to do next."""

    def __init__(self, error: CallError, request_id: str) -> None:
        """Remember what is known.

        Args:
            error: What the service told.
            request_id: Of the intent, for a resend.
        """
        outcome = call_pb2.Outcome.Name(error.outcome).removeprefix("OUTCOME_")
        advice = call_pb2.Advice.Name(error.advice).removeprefix("ADVICE_")
        what = f"{error.reason or error.code.name}: {error.message}"
        super().__init__(f"{what} (outcome {outcome}, advice {advice}, request id {request_id})")
        self.error = error
        self.request_id = request_id

    def __reduce__(self) -> tuple[type["PayorchError"], tuple[CallError, str]]:
        """Survive pickling, so that a task queue can raise it in another process."""
        return type(self), (self.error, self.request_id)


class NotSentError(PayorchError):
    """Nothing of this call reached Zuora; an earlier call of the same intent may have."""


class RefusedError(PayorchError):
    """Zuora refused, and did nothing."""


class PartialError(PayorchError):
    """A part was done: `error.call_outcome.existing` names it."""


class OutcomeUnknownError(PayorchError):
    """It may or may not have been done; start no new intent before that is settled."""


_ERRORS: Final[dict[int, type[PayorchError]]] = {
    call_pb2.OUTCOME_NOT_SENT: NotSentError,
    call_pb2.OUTCOME_REFUSED: RefusedError,
    call_pb2.OUTCOME_PARTIAL: PartialError,
}


def raised(error: grpc.RpcError, request_id: str) -> PayorchError:
    """Return the exception for an error that a stub raised; an outcome that is not known here is an unknown one."""
    told = CallError.from_rpc_error(error)
    return _ERRORS.get(told.outcome, OutcomeUnknownError)(told, request_id)


def _info(status: Any) -> Any | None:
    """Return the service's ErrorInfo; another domain's reason is not ours to read."""
    info = _detail(status, error_details_pb2.ErrorInfo)
    return info if info is not None and info.domain == _DOMAIN else None


def _known(enum: Any, value: int, otherwise: Any) -> Any:
    """Return a value that this version has a word for; an unset or newer one means what the contract says of none."""
    return value if value and value in enum.values() else otherwise


def _detail(status: Any, kind: Any) -> Any | None:
    """Return the status's detail of a kind, or None."""
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            message = kind()
            # One that cannot be read tells nothing.
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
    return tuple(FieldViolation(one.field, one.reason, one.description) for one in bad.field_violations)
