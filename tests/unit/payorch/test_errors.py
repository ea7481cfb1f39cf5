"""What the Python client makes of errors, whoever made them."""

import pickle
from typing import Any

import grpc
import pytest
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2, status_pb2
from payorch import CallError, OutcomeUnknownError, RefusedError
from payorch.errors import raised
from payorch.v1 import call_pb2

UNKNOWN = (call_pb2.OUTCOME_UNKNOWN, call_pb2.ADVICE_RESEND_SAME_REQUEST_ID)


class Failed(grpc.RpcError):
    """An error with these details."""

    def __init__(self, *details: Any, raw: bytes | None = None, spoiled: bytes = b"") -> None:
        status = status_pb2.Status()
        for detail in details:
            status.details.add().Pack(detail)
        if spoiled:
            status.details[0].value = spoiled
        self._packed = status.SerializeToString() if raw is None else raw

    def code(self) -> grpc.StatusCode:
        """Return the status."""
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        """Return the text."""
        return "no"

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Return the trailers."""
        return (("grpc-status-details-bin", self._packed),)


@pytest.mark.parametrize(
    "error",
    [
        Failed(),
        Failed(raw=b""),
        Failed(raw=b"\xff\xff"),
        Failed(call_pb2.CallOutcome()),
        Failed(call_pb2.CallOutcome(outcome=99, advice=99)),  # type: ignore[arg-type] # words of a newer service
        Failed(error_details_pb2.ErrorInfo(domain="payorch", reason="X")),
        Failed(call_pb2.CallOutcome(), spoiled=b"\xff\xff"),
        Failed(call_pb2.CallOutcome(resend_before_time=timestamp_pb2.Timestamp(seconds=10**15))),
    ],
)
def test_what_tells_no_outcome_is_an_unknown_one(error: Failed) -> None:
    """Nothing is made of what is missing, broken or newer."""
    told = CallError.from_rpc_error(error)

    assert (told.outcome, told.advice) == UNKNOWN
    assert isinstance(raised(error, "r"), OutcomeUnknownError)


def test_an_exception_survives_the_way_to_another_process() -> None:
    """With all that it tells."""
    error = raised(Failed(call_pb2.CallOutcome(outcome=call_pb2.OUTCOME_REFUSED)), "order-4711")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert (RefusedError, error.error, "order-4711") == (type(again), again.error, again.request_id)


def test_a_reason_of_somebody_else_is_none_of_ours() -> None:
    """A proxy's ErrorInfo has a domain of its own."""
    error = Failed(error_details_pb2.ErrorInfo(domain="proxy.example", reason="REQUEST_INVALID"))

    assert CallError.from_rpc_error(error).reason == ""
