from dataclasses import replace

import pytest
from harness.intents import at_most
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.zuora.retry import MAX_ATTEMPTS, RETRYABLE, RetryBudget, RetryState, wait_before_retry

CEILINGS_S = {1: 0.2, 2: 0.4}
IN_PROGRESS_CEILINGS_S = {1: 1.0, 2: 2.0}
CREDENTIALS = Reason.UPSTREAM_CREDENTIALS_REJECTED


def tried(reason: Reason = Reason.UPSTREAM_NO_ANSWER, **changes: object) -> RetryState:
    """Make a first attempt that failed with time and budget left."""
    return replace(RetryState(reason, attempts=1, remaining_s=50.0, budget_left=True), **changes)  # type: ignore[arg-type] # a table


def expected_s(reason: Reason, attempts: int) -> float | None:
    """Say what the rules give for a reason and a number of attempts, with the longest wait drawn."""
    if reason not in RETRYABLE or attempts >= MAX_ATTEMPTS:
        return None
    if reason is CREDENTIALS:
        return 0.0 if attempts == 1 else None
    ceilings_s = IN_PROGRESS_CEILINGS_S if reason is Reason.UPSTREAM_IN_PROGRESS else CEILINGS_S
    return ceilings_s[attempts]


class TestRetryable:
    """What may be sent again at all."""

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_holds_nothing_that_zuora_recorded(self, reason: Reason) -> None:
        """A recorded answer would only come again, and a recorded unknown must never be sent with hope."""
        verdict = VERDICTS[reason]

        if verdict.outcome not in {Outcome.NOT_SENT, Outcome.UNKNOWN}:
            assert reason not in RETRYABLE
        if verdict.advice is not Advice.RESEND_SAME_REQUEST_ID:
            assert reason not in RETRYABLE

    @pytest.mark.parametrize(
        ("reason", "why"),
        [
            (Reason.UPSTREAM_INTERNAL, "60 may hide a charge"),
            (Reason.UPSTREAM_TEMPORARY, "61 is recorded under the key"),
            (Reason.UPSTREAM_LOCKED, "so is 50"),
            (Reason.UPSTREAM_GATEWAY_FAILED, "99 may hide a charge"),
            (Reason.UPSTREAM_KEY_CONFLICT, "the key is taken for ever"),
            (Reason.UPSTREAM_REFUSAL_STORED, "Zuora keeps repeating it"),
            (Reason.UPSTREAM_PERMISSION_DENIED, "only an operator can change it"),
        ],
    )
    def test_leaves_out_what_a_resend_cannot_settle(self, reason: Reason, why: str) -> None:
        """Whatever the operation is."""
        assert wait_before_retry(tried(reason), uniform=at_most) is None, why


class TestWaitBeforeRetry:
    """A pure decision, as a table."""

    @pytest.mark.parametrize("attempts", [1, 2, 3, 4])
    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_depends_on_reason_and_attempts(self, reason: Reason, attempts: int) -> None:
        """At most three attempts, and one new token."""
        wait_s = wait_before_retry(tried(reason, attempts=attempts), uniform=at_most)

        assert wait_s == expected_s(reason, attempts)

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_resends_for_an_unreadable_answer_that_was_cut_off(self, reason: Reason) -> None:
        """The next one may arrive whole; of other reasons that changes nothing."""
        wait_s = wait_before_retry(tried(reason, cut_off=True), uniform=at_most)

        assert wait_s == (0.2 if reason is Reason.UPSTREAM_ANSWER_UNREADABLE else expected_s(reason, 1))

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_gives_up_without_budget(self, reason: Reason) -> None:
        """A failing Zuora is not met with a multiple of the load."""
        assert wait_before_retry(tried(reason, budget_left=False), uniform=at_most) is None

    @pytest.mark.parametrize(
        ("remaining_s", "retry_after_s", "expected", "reason"),
        [
            (50.0, None, 0.2, "the longest draw"),
            (0.3, None, 0.2, "it fits"),
            (0.2, None, None, "nothing would be left for the attempt"),
            (0.0, None, None, "no time"),
            (-1.0, None, None, "less than none"),
            (50.0, 0.0, 0.2, "Zuora asks for no wait"),
            (50.0, 10.0, 10.2, "Zuora's wait first, and jitter behind it"),
            (10.2, 10.0, None, "the wait is longer than the flight"),
            (50.0, 120.0, None, "far longer"),
            (50.0, 86_400.0, None, "a day"),
        ],
    )
    def test_must_fit_the_time(
        self, remaining_s: float, retry_after_s: float | None, expected: float | None, reason: str
    ) -> None:
        """A wait past the deadline helps nobody."""
        one = tried(Reason.UPSTREAM_THROTTLED, remaining_s=remaining_s, retry_after_s=retry_after_s)

        assert wait_before_retry(one, uniform=at_most) == expected, reason

    @pytest.mark.parametrize(("attempts", "expected_s"), [(4, 1.6), (5, 2.0), (6, 2.0), (7, None)])
    def test_waits_two_seconds_at_most(self, attempts: int, expected_s: float | None) -> None:
        """Where more attempts are allowed than usual."""
        wait_s = wait_before_retry(tried(attempts=attempts), uniform=at_most, max_attempts=7)

        assert wait_s == expected_s

    def test_waits_with_a_refused_token_if_zuora_asks(self) -> None:
        """A new token needs no wait of ours; what Zuora asks for still counts."""
        one = tried(CREDENTIALS, retry_after_s=2.0)

        assert wait_before_retry(one, uniform=at_most) == 2.0

    @given(
        reason=st.sampled_from(sorted(RETRYABLE - {CREDENTIALS}, key=lambda one: one.name)),
        attempts=st.integers(1, MAX_ATTEMPTS - 1),
        fraction=st.floats(0, 1),
        retry_after_s=st.none() | st.floats(0, 40),
    )
    def test_draws_from_nothing_to_the_ceiling(
        self, reason: Reason, attempts: int, fraction: float, retry_after_s: float | None
    ) -> None:
        """Full jitter keeps callers apart; Zuora's own wait is never cut short."""
        drawn: list[tuple[float, float]] = []

        def uniform(low: float, high: float) -> float:
            drawn.append((low, high))
            return low + fraction * (high - low)

        wait_s = wait_before_retry(tried(reason, attempts=attempts, retry_after_s=retry_after_s), uniform=uniform)

        ceiling_s = expected_s(reason, attempts)
        assert drawn == [(0.0, ceiling_s)]
        assert wait_s is not None
        assert ceiling_s is not None
        assert (retry_after_s or 0.0) <= wait_s <= (retry_after_s or 0.0) + ceiling_s


class TestRetryBudget:
    """Half of it is for retries; a success gives back a tenth of what a failure takes."""

    def test_is_used_up_by_ten_failures(self) -> None:
        """The tenth is the one after which nothing is sent again."""
        budget = RetryBudget()
        allowed = []
        for _ in range(10):
            budget.note_failure()
            allowed.append(budget.allows)

        assert allowed == [True] * 9 + [False]

    def test_never_falls_below_nothing(self) -> None:
        """Else an outage of an hour would be remembered for hours."""
        budget = RetryBudget()
        for _ in range(1000):
            budget.note_failure()

        assert (budget.left, repr(budget)) == (0.0, "RetryBudget(0.0 of 20)")

    def test_comes_back_by_success_alone(self) -> None:
        """A hundred and one answers after an outage."""
        budget = RetryBudget()
        for _ in range(20):
            budget.note_failure()
        answers = 0
        while not budget.allows:
            budget.note_success()
            answers += 1

        assert answers == 101

    def test_never_grows_above_its_limit(self) -> None:
        """A quiet week saves nothing up."""
        budget = RetryBudget()
        for _ in range(1000):
            budget.note_success()

        assert budget.left == RetryBudget.MAX
