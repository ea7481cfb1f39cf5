import pytest
from payorch_server.model.operation import RPCS
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason, Verdict, verdict_of

ALLOWED = {
    Outcome.NOT_SENT: {Advice.RESEND_SAME_REQUEST_ID, Advice.FIX_REQUEST},
    Outcome.REFUSED: {Advice.FIX_REQUEST, Advice.USE_NEW_REQUEST_ID},
    Outcome.PARTIAL: {Advice.LOOK_UP},
    Outcome.UNKNOWN: {Advice.RESEND_SAME_REQUEST_ID, Advice.LOOK_UP},
}


class TestVerdicts:
    """One table says what every reason means."""

    def test_holds_every_reason(self) -> None:
        """No reason is left without a meaning."""
        assert set(VERDICTS) == set(Reason)

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_pairs_outcome_and_advice_as_promised(self, reason: Reason) -> None:
        """No advice can make an effect happen twice: a new id is never advised for what may have happened."""
        verdict = VERDICTS[reason]

        assert verdict.advice in ALLOWED[verdict.outcome]

    @pytest.mark.parametrize("rpc", ["", *RPCS])
    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_differ_for_sessions_in_doubt_alone(self, reason: Reason, rpc: str) -> None:
        """There is nothing to look up, and an unused session has no effect; the outcome itself does not change."""
        verdict, of_rpc = VERDICTS[reason], verdict_of(reason, rpc=rpc)

        assert of_rpc.outcome is verdict.outcome
        if rpc == "CreateSession" and verdict == Verdict(Outcome.UNKNOWN, Advice.LOOK_UP):
            assert of_rpc.advice is Advice.USE_NEW_REQUEST_ID
        else:
            assert of_rpc == verdict
