from typing import Any

import pytest
from google.rpc import code_pb2
from harness.clock import START
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import error_reason_pb2
from payorch_server.calls.recording import CallRecord
from payorch_server.model.attempt import Attempt
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.rpc.diagnostics import encode_call_record


def encoded(**changes: Any) -> diagnostics_pb2.CallRecord:
    """Encode the record of a call, or one with changes."""
    members = {
        "kind": "call",
        "rpc": "CreateSession",
        "track_id": "t1",
        "trace_id": "",
        "caller": "shop",
        "namespace": "shop",
        "started_at": START,
        "duration_s": 0.5,
        "outcome": Outcome.UNKNOWN.name,
        "advice": Advice.LOOK_UP.name,
        "code": "OK",
    }
    return encode_call_record(CallRecord(**members | changes))


class TestEncodeCallRecord:
    """What is remembered of a call, in the words of the contract."""

    @pytest.mark.parametrize(
        ("word", "expected", "reason"),
        [
            ("opened", diagnostics_pb2.INTENT_DISPOSITION_OPENED, "the first call"),
            ("taken_over", diagnostics_pb2.INTENT_DISPOSITION_TAKEN_OVER, "after an execution that did not settle it"),
            ("joined", diagnostics_pb2.INTENT_DISPOSITION_JOINED, "while it is executed"),
            ("replayed", diagnostics_pb2.INTENT_DISPOSITION_REPLAYED, "after its end"),
            ("unrecorded", diagnostics_pb2.INTENT_DISPOSITION_UNRECORDED, "without a store"),
            ("", diagnostics_pb2.INTENT_DISPOSITION_UNSPECIFIED, "a call without an intent"),
            ("teleported", diagnostics_pb2.INTENT_DISPOSITION_UNSPECIFIED, "a word of a newer version"),
        ],
    )
    def test_names_how_the_intent_was_met(self, word: str, expected: int, reason: str) -> None:
        """By an enum; a replica of a newer version may have stored another word."""
        assert encoded(intent=word).intent == expected, reason

    def test_gives_a_status_code_to_calls_alone(self) -> None:
        """OK is 0, so an execution must not have it by default."""
        call, execution = encoded(), encoded(kind="execution", code="")

        assert (call.kind, call.HasField("code"), call.code) == (diagnostics_pb2.CALL_KIND_CALL, True, code_pb2.OK)
        assert (execution.kind, execution.HasField("code")) == (diagnostics_pb2.CALL_KIND_EXECUTION, False)

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_names_every_reason(self, reason: Reason) -> None:
        """With the value that errors name."""
        name = error_reason_pb2.ErrorReason.Name(encoded(reason=reason.name).error_reason)

        assert name == f"ERROR_REASON_{reason.name}"

    def test_leaves_out_a_reason_of_a_newer_version(self) -> None:
        """During a rollout two versions share one call history."""
        record = encoded(reason="MOON_IN_THE_WRONG_PHASE")

        assert record.error_reason == error_reason_pb2.ERROR_REASON_UNSPECIFIED
        assert record.outcome != 0

    def test_dates_each_send(self) -> None:
        """And says how long it took."""
        attempt = Attempt(1, 200, "r1", START, 0.25, Outcome.SUCCEEDED)

        (sent,) = encoded(attempts=(attempt,)).attempts

        assert sent.start_time.ToDatetime(tzinfo=START.tzinfo) == START
        assert sent.duration.ToMilliseconds() == 250
