"""What the Python client makes of errors, whoever made them."""

import pickle
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2, status_pb2
from payorch import CallError, FieldViolation, OutcomeUnknownError, RefusedError
from payorch.errors import exception_of
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
        Failed(call_pb2.CallOutcome(outcome=call_pb2.OUTCOME_SUCCEEDED)),
        Failed(call_pb2.CallOutcome(resend_before_time=timestamp_pb2.Timestamp(seconds=10**15))),
    ],
)
def test_what_tells_no_outcome_is_an_unknown_one(error: Failed) -> None:
    """Nothing is made of what is missing, broken or newer."""
    told = CallError.from_rpc_error(error)

    assert (told.outcome, told.advice) == UNKNOWN
    assert isinstance(exception_of(told, "r"), OutcomeUnknownError)


def test_an_exception_survives_the_way_to_another_process() -> None:
    """With all that it tells."""
    refused = CallError.from_rpc_error(Failed(call_pb2.CallOutcome(outcome=call_pb2.OUTCOME_REFUSED)))
    error = exception_of(refused, "order-4711", (refused, refused))

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert (RefusedError, error.error, "order-4711") == (type(again), again.error, again.request_id)
    assert (str(error), 2) == (str(again), len(again.attempts))


def test_a_reason_of_somebody_else_is_none_of_ours() -> None:
    """A proxy's ErrorInfo has a domain of its own."""
    error = Failed(error_details_pb2.ErrorInfo(domain="proxy.example", reason="REQUEST_INVALID"))

    assert CallError.from_rpc_error(error).reason == ""


INVALID = CallError(
    code=grpc.StatusCode.INVALID_ARGUMENT,
    message="The request breaks rules; the details name each field.",
    reason="REQUEST_INVALID",
    outcome=call_pb2.OUTCOME_NOT_SENT,
    advice=call_pb2.ADVICE_FIX_REQUEST,
    track_id="ticket-1",
)
LOST = CallError(code=grpc.StatusCode.UNAVAILABLE, message="Socket closed")


def broken(count: int, **more: Any) -> CallError:
    """Return an error with so many violations."""
    violations = tuple(FieldViolation(f"field_{number}", "rule", "must hold") for number in range(count))
    return replace(INVALID, violations=violations, **more)


class TestText:
    """A pasted exception is a ticket."""

    @pytest.mark.parametrize(
        ("error", "fields"),
        [
            (broken(0), ""),
            (broken(1), " [field_0: must hold]"),
            (broken(3), " [field_0: must hold; field_1: must hold; field_2: must hold]"),
            (broken(5), " [field_0: must hold; field_1: must hold; field_2: must hold; and 2 more]"),
            (
                broken(4, metadata={"violationsOmitted": "30"}),
                " [field_0: must hold; field_1: must hold; field_2: must hold; and 31 more]",
            ),
        ],
    )
    def test_names_three_fields_and_counts_the_others(self, error: CallError, fields: str) -> None:
        """With the ids of the call, and where to read on."""
        assert (
            f"REQUEST_INVALID: The request breaks rules; the details name each field.{fields} (outcome NOT_SENT, "
            "advice FIX_REQUEST, request id order-4711, Track-Id ticket-1, docs/errors.md#request_invalid)"
        ) == str(exception_of(error, "order-4711"))

    def test_says_nothing_twice(self) -> None:
        """The service puts the first violation into the message, for tools that show no details."""
        of_one, of_two = (
            replace(error, message="It breaks rules. field_0: must hold") for error in (broken(1), broken(2))
        )

        assert "REQUEST_INVALID: It breaks rules. field_0: must hold (outcome" in str(exception_of(of_one, "r"))
        assert "field_0: must hold [field_1: must hold] (outcome" in str(exception_of(of_two, "r"))

    @pytest.mark.parametrize(
        "message", ["field_0: must hold, it says", "Wrong. field_1: must hold", "Wrong.field_0: must hold"]
    )
    def test_leaves_out_what_ends_the_message_alone(self, message: str) -> None:
        """And of that the first violation alone: another one may be a part of it."""
        shown = str(exception_of(replace(broken(2), message=message), "r"))

        assert f"{message} [field_0: must hold; field_1: must hold] (outcome" in shown

    def test_names_what_the_last_attempt_said(self) -> None:
        """If an earlier one is raised, because it is in doubt."""
        assert (
            "UNAVAILABLE: Socket closed (outcome UNKNOWN, advice RESEND_SAME_REQUEST_ID, after 2 attempts, the last "
            "one ended as REQUEST_INVALID, request id r, https://docs.example/errors.md#outcomes-and-advice)"
        ) == str(exception_of(LOST, "r", (LOST, INVALID), "https://docs.example/errors.md"))

    def test_has_zuoras_codes(self) -> None:
        """Support asks for them."""
        assert ", Zuora codes 53000060 50000040, " in str(
            exception_of(replace(LOST, zuora_codes=("53000060", "50000040")), "")
        )

    def test_is_one_line_whatever_a_proxy_writes(self) -> None:
        """No line of a log is made by another party."""
        text = str(exception_of(replace(LOST, message="a\nERROR b\x1b[2J\u2028ü"), "r"))

        assert text.startswith("UNAVAILABLE: a\\nERROR b\\x1b[2J\\u2028ü (outcome")
