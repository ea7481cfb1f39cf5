import pytest
from payorch_server.model.earlier_sends import reason_given_earlier_sends
from payorch_server.model.errors import Failure, UpstreamEvidence
from payorch_server.model.outcome import VERDICTS, Outcome, Reason

CODES = UpstreamEvidence(zuora_codes=("53000020",))
UNSETTLED, STORED = Reason.EARLIER_ATTEMPT_UNSETTLED, Reason.UPSTREAM_REFUSAL_STORED
THROTTLED, LOCKED = Reason.UPSTREAM_THROTTLED, Reason.UPSTREAM_LOCKED
REFUSED, DECLINED = Reason.UPSTREAM_REQUEST_REFUSED, Reason.PAYMENT_DECLINED
TEMPORARY, CREDENTIALS = Reason.UPSTREAM_TEMPORARY, Reason.UPSTREAM_CREDENTIALS_REJECTED
DENIED, NO_ANSWER = Reason.UPSTREAM_PERMISSION_DENIED, Reason.UPSTREAM_NO_ANSWER


def reason_of(reason: Reason, *, doubtful: bool, repeated: bool, codes: bool = True) -> Reason:
    """Judge an attempt."""
    failed = Failure(reason, "", evidence=CODES if codes else UpstreamEvidence())
    return reason_given_earlier_sends(failed, doubtful=doubtful, repeated=repeated)


class TestInLightOfEarlier:
    """An attempt proves something about itself, and sometimes about those before it."""

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    @pytest.mark.parametrize("codes", [True, False])
    def test_takes_a_first_attempt_as_it_is(self, reason: Reason, *, codes: bool) -> None:
        """There is nothing earlier."""
        assert reason_of(reason, doubtful=False, repeated=False, codes=codes) is reason

    @pytest.mark.parametrize(
        ("reason", "repeated", "codes", "expected", "why"),
        [
            (Reason.UPSTREAM_UNREACHABLE, False, False, UNSETTLED, "no connection says nothing about the earlier send"),
            (Reason.TOKEN_UNAVAILABLE, False, False, UNSETTLED, "nor does a missing token"),
            (Reason.DEADLINE_TOO_SHORT, False, False, UNSETTLED, "nor does the clock"),
            (CREDENTIALS, False, True, UNSETTLED, "the token is looked at before the key"),
            (THROTTLED, False, True, UNSETTLED, "so are the limits"),
            (DENIED, False, True, UNSETTLED, "so may be the permission"),
            (CREDENTIALS, True, True, STORED, "the first answer came again, so the key holds it"),
            (THROTTLED, True, True, STORED, "the same for a stored 429"),
            (DENIED, True, True, STORED, "and for a stored 403"),
            (LOCKED, False, True, UNSETTLED, "the earlier send may hold the lock"),
            (TEMPORARY, False, True, UNSETTLED, "a fault beside an execution that still runs"),
            (LOCKED, True, True, LOCKED, "the stored answer: the key executed nothing else"),
            (TEMPORARY, True, True, TEMPORARY, "the same"),
            (REFUSED, False, True, UNSETTLED, "it may be about the earlier send: the invoice is paid by then"),
            (REFUSED, False, False, UNSETTLED, "a bare 4xx may come from the edge"),
            (REFUSED, True, True, REFUSED, "what comes again is the key's answer"),
            (DECLINED, False, True, UNSETTLED, "so is a decline"),
            (DECLINED, True, True, DECLINED, "the key's answer"),
            (NO_ANSWER, False, False, NO_ANSWER, "still unknown"),
            (NO_ANSWER, True, False, Reason.UPSTREAM_INTERNAL, "stored, so a resend brings the same: look it up"),
            (Reason.UPSTREAM_INTERNAL, False, True, Reason.UPSTREAM_INTERNAL, "unknown and recorded"),
            (Reason.UPSTREAM_KEY_CONFLICT, False, True, Reason.UPSTREAM_KEY_CONFLICT, "look it up"),
            (
                Reason.PAYMENT_REFUSED_METHOD_CREATED, False, True,
                Reason.PAYMENT_REFUSED_METHOD_CREATED, "half done is known",
            ),
        ],
    )  # fmt: skip
    def test_judges_an_attempt_after_a_doubtful_one(
        self, reason: Reason, *, repeated: bool, codes: bool, expected: Reason, why: str
    ) -> None:
        """Only what proves that nothing was executed may say so."""
        assert reason_of(reason, doubtful=True, repeated=repeated, codes=codes) is expected, why

    @pytest.mark.parametrize("reason", [CREDENTIALS, THROTTLED, DENIED])
    def test_knows_a_stored_early_refusal_without_a_doubt(self, reason: Reason) -> None:
        """A second 401 with the first one's request id: waiting and resending help nobody."""
        assert reason_of(reason, doubtful=False, repeated=True) is STORED

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    @pytest.mark.parametrize("codes", [True, False])
    def test_never_says_not_sent_after_a_doubt(self, reason: Reason, *, codes: bool) -> None:
        """What may have been executed is unknown until Zuora says otherwise."""
        judged = reason_of(reason, doubtful=True, repeated=False, codes=codes)

        assert VERDICTS[judged].outcome is not Outcome.NOT_SENT
