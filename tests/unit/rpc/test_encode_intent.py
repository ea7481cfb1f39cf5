from typing import Any

import pytest
from harness.clock import START
from harness.intents import fingerprint
from harness.routes import route
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.intent_record import IntentRecord, IntentStatus, Settlement, StoredEvidence
from payorch_server.model.outcome import Advice, Reason, verdict_of
from payorch_server.rpc.encode import encode_intent
from payorch_server.rpc.status import ADVICE, OUTCOMES


def record(settlement: Settlement | None = None, **changes: Any) -> IntentRecord:
    """Make a record of two flights."""
    opened_at_s = START.timestamp() + 0.25
    members = {"track_ids": ("t1", "t2"), "settlement": settlement} | changes
    return IntentRecord(fingerprint(), route(), "o", 0.0, opened_at_s, **members)


class TestEncodeIntent:
    """What GetIntent tells of a record."""

    def test_says_not_found_and_nothing_else(self) -> None:
        """No record proves nothing."""
        expected = service_pb2.GetIntentResponse(intent_state=service_pb2.INTENT_STATE_NOT_FOUND)

        assert encode_intent(None, rpc="DecryptApplePay") == expected

    def test_has_no_outcome_in_flight(self) -> None:
        """Whoever reads it waits, or resends and joins."""
        response = encode_intent(IntentStatus(record(), in_flight=True, expired=False), rpc="DecryptApplePay")

        assert response.intent_state == service_pb2.INTENT_STATE_IN_FLIGHT
        assert not response.HasField("call_outcome")
        assert not response.HasField("existing")
        assert list(response.track_ids) == ["t1", "t2"]
        assert response.first_send_time.ToMilliseconds() == int(START.timestamp() * 1000) + 250

    def test_advises_a_resend_of_what_is_unsettled(self) -> None:
        """Until 23 hours after the first send."""
        outcome = encode_intent(
            IntentStatus(record(), in_flight=False, expired=False), rpc="DecryptApplePay"
        ).call_outcome

        assert (outcome.outcome, outcome.advice) == (
            call_pb2.OUTCOME_UNKNOWN,
            call_pb2.ADVICE_RESEND_SAME_REQUEST_ID,
        )
        assert outcome.resend_before_time.ToMilliseconds() == int(START.timestamp() * 1000) + 250 + 23 * 3600 * 1000

    def test_advises_no_resend_of_what_is_too_old(self) -> None:
        """Zuora may have forgotten the key by then."""
        outcome = encode_intent(
            IntentStatus(record(), in_flight=False, expired=True), rpc="DecryptApplePay"
        ).call_outcome

        assert (outcome.outcome, outcome.advice) == (call_pb2.OUTCOME_UNKNOWN, call_pb2.ADVICE_LOOK_UP)
        assert not outcome.HasField("resend_before_time")

    def test_advises_a_new_session_where_one_is_too_old(self) -> None:
        """Nothing was done with it, and there is nothing to look up."""
        outcome = encode_intent(IntentStatus(record(), in_flight=False, expired=True), rpc="CreateSession").call_outcome

        assert (outcome.outcome, outcome.advice) == (call_pb2.OUTCOME_UNKNOWN, call_pb2.ADVICE_USE_NEW_REQUEST_ID)

    def test_tells_a_success_with_what_exists(self) -> None:
        """And every id that Zuora's support could ask for."""
        settlement = Settlement(
            "", zuora_request_id="z1", zuora_process_id="p1", executed_track_id="t1",
            sealed_result=b"canary", payment_method_id="pm-1", payment_id="pay-1",
        )  # fmt: skip

        response = encode_intent(
            IntentStatus(record(settlement), in_flight=False, expired=False), rpc="DecryptApplePay"
        )

        assert response.intent_state == service_pb2.INTENT_STATE_SETTLED
        assert (response.call_outcome.outcome, response.call_outcome.advice) == (
            call_pb2.OUTCOME_SUCCEEDED,
            call_pb2.ADVICE_NONE,
        )
        assert (response.existing.payment_method_id, response.existing.payment_id) == ("pm-1", "pay-1")
        assert (list(response.zuora_request_ids), list(response.zuora_process_ids)) == (["z1"], ["p1"])
        assert response.call_outcome.track_id == "t1"
        assert "canary" not in str(response)

    @pytest.mark.parametrize("rpc", ["CreateSession", "DecryptApplePay"])
    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_tells_every_reason_as_the_call_did(self, reason: Reason, rpc: str) -> None:
        """One table decides for both, and knows that a session in doubt cannot be looked up."""
        settlement = Settlement(reason.name, evidence=StoredEvidence(("53000099",)))

        response = encode_intent(IntentStatus(record(settlement), in_flight=False, expired=False), rpc=rpc)

        verdict = verdict_of(reason, rpc=rpc)
        assert (response.call_outcome.outcome, response.call_outcome.advice) == (
            OUTCOMES[verdict.outcome],
            ADVICE[verdict.advice],
        )
        assert list(response.call_outcome.zuora_codes) == ["53000099"]
        assert not response.HasField("existing"), "nothing is known to exist"
        assert (
            not response.call_outcome.HasField("resend_before_time") or verdict.advice is Advice.RESEND_SAME_REQUEST_ID
        )

    def test_takes_a_reason_of_a_newer_version_for_unknown(self) -> None:
        """During a rollout two versions read one store; this one must neither fail nor guess."""
        response = encode_intent(
            IntentStatus(record(Settlement("MOON_IN_THE_WRONG_PHASE")), in_flight=False, expired=False),
            rpc="DecryptApplePay",
        )

        assert (response.call_outcome.outcome, response.call_outcome.advice) == (
            call_pb2.OUTCOME_UNKNOWN,
            call_pb2.ADVICE_LOOK_UP,
        )
