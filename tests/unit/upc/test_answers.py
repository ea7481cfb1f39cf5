"""The table of what Zuora is answered."""

from datetime import UTC, datetime

import pytest
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch_server.upc.answers import MEAN_ERROR, STATUSES, Answer, Situation, answer_to, situation_of
from payorch_server.upc.gateway_outcome import CallFacts, GatewayOutcome, NoOutcome, Result, Silence

PROVEN = {Situation.LOOKED_UP_DECLINED, Situation.LOOKED_UP_FAILED}
MAY_MEAN_ERROR_ALONE = PROVEN | {
    Situation.DECLINED,
    Situation.FAILED,
    Situation.NOT_ATTEMPTED,
    Situation.NOT_CONNECTED,
    Situation.NOT_OFFERED,
    Situation.REFUSED_EARLIER,
    Situation.CREDENTIALS_REFUSED,
    Situation.CREDENTIALS_MISSING,
    Situation.REQUEST_UNUSABLE,
    Situation.TENANT_UNKNOWN,
    Situation.GATEWAY_UNKNOWN,
    Situation.SWITCHED_OFF,
}
OUTCOME = GatewayOutcome(Result.APPROVED, "601", "approved", "383315250")


class TestAnswerTo:
    """answer_to."""

    @pytest.mark.parametrize("situation", Situation)
    def test_means_error_in_doubt_only_where_a_look_up_proves_it(self, situation: Situation) -> None:
        """While an earlier send may have moved money, Zuora must not collect again."""
        answer = answer_to(situation, in_doubt=True).answer

        assert (answer in MEAN_ERROR) == (situation in PROVEN)

    @pytest.mark.parametrize("situation", Situation)
    def test_means_error_alone_only_where_nothing_moved(self, situation: Situation) -> None:
        """The situations are listed here once more, so that none slips in."""
        answer = answer_to(situation, in_doubt=False).answer

        assert (answer in MEAN_ERROR) == (situation in MAY_MEAN_ERROR_ALONE)

    @pytest.mark.parametrize("in_doubt", [False, True])
    @pytest.mark.parametrize("situation", Situation)
    def test_says_approved_of_what_the_gateway_approved_alone(self, situation: Situation, *, in_doubt: bool) -> None:
        """No other situation marks a payment as Processed."""
        answer = answer_to(situation, in_doubt=in_doubt).answer

        assert (answer is Answer.APPROVED) == (situation is Situation.APPROVED)

    @pytest.mark.parametrize("in_doubt", [False, True])
    @pytest.mark.parametrize("situation", Situation)
    def test_hands_on_no_outcome_with_an_unknown(self, situation: Situation, *, in_doubt: bool) -> None:
        """What a gateway said of an open payment could be taken for its end."""
        answer = answer_to(situation, in_doubt=in_doubt, outcome=OUTCOME)

        assert (answer.outcome is None) == (answer.answer is Answer.UNKNOWN)

    @pytest.mark.parametrize("situation", [Situation.DECLINED, Situation.FAILED, Situation.NOT_ATTEMPTED])
    def test_calls_people_where_a_refusal_follows_an_open_send(self, situation: Situation) -> None:
        """No resend settles such a payment."""
        assert answer_to(situation, in_doubt=True).needs_people
        assert not answer_to(situation, in_doubt=False).needs_people


class TestStatuses:
    """STATUSES."""

    def test_are_of_zuoras_four(self) -> None:
        """202 would be read as an answer of the gateway; 405, 413 and 415 would leave a refused payment open."""
        assert {
            Answer.APPROVED: 200,
            Answer.DECLINED: 200,
            Answer.FAILED: 200,
            Answer.SYSTEM: 200,
            Answer.NOT_UNDERSTOOD: 400,
            Answer.UNAUTHORIZED: 401,
            Answer.UNKNOWN: 503,
        } == STATUSES


class TestGatewayOutcome:
    """GatewayOutcome."""

    def test_shows_no_message(self) -> None:
        """It is the gateway's own text, and may name anything."""
        assert "canary" not in repr(GatewayOutcome(Result.DECLINED, message="canary"))

    def test_has_no_texts_that_the_gateway_did_not_send(self) -> None:
        """Empty ones are left out of answers to Zuora."""
        outcome = GatewayOutcome(Result.DECLINED)

        texts = (outcome.code, outcome.message, outcome.transaction_id, outcome.second_transaction_id)
        assert texts == ("", "", "", "")
        assert outcome.cut == ()


class TestResult:
    """Result."""

    def test_has_the_words_of_the_contract(self) -> None:
        """Records keep them, and other versions of the hub read those."""
        known = {f"GATEWAY_RESULT_{result.value}" for result in Result}

        assert known | {"GATEWAY_RESULT_UNSPECIFIED"} == set(gateway_pb2.GatewayResult.keys())


class TestNoOutcome:
    """NoOutcome."""

    def test_has_no_status_code_where_the_gateway_answered(self) -> None:
        """The log shows none that gRPC did not report."""
        assert NoOutcome(Silence.UNSPECIFIED).code == ""


class TestCallFacts:
    """CallFacts."""

    def test_have_no_key_of_a_payment_where_nothing_is_refunded(self) -> None:
        """A gateway could look for a payment under it."""
        facts = CallFacts("key", 1, may_be_repeated=False, first_send=datetime(2026, 11, 20, 12, tzinfo=UTC))

        assert facts.payment_idempotency_key == ""


class TestSituationOf:
    """situation_of."""

    @pytest.mark.parametrize("result", Result)
    def test_knows_each_result(self, result: Result) -> None:
        """None is left without an answer."""
        assert situation_of(result).name == result.name
