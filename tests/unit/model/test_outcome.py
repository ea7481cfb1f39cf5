import pytest
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason

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
