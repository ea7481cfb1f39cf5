import pytest
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, call_error, error_for
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.zuora.breaker import (
    MIN_FAILURES,
    MIN_SILENCE_S,
    OPEN_S,
    PROBE_S,
    CircuitBreaker,
    CircuitBreakers,
    CircuitState,
)
from structlog.testing import capture_logs

KEY = ("acme", "a" * 32)


def opened(*, at_s: float = 100.0) -> CircuitBreaker:
    """Make a breaker that opened at a time."""
    breaker = CircuitBreaker()
    for number in range(MIN_FAILURES):
        failed_s = at_s - MIN_SILENCE_S + number * MIN_SILENCE_S / (MIN_FAILURES - 1)
        breaker.note_failure(sent_s=failed_s - 1.0, now_s=failed_s)
    return breaker


class TestCircuitState:
    """What a metric shows of it."""

    def test_has_the_numbers_of_the_metric(self) -> None:
        """Alerts compare with them."""
        assert {"CLOSED": 0, "HALF_OPEN": 1, "OPEN": 2} == {state.name: state.value for state in CircuitState}


class TestCircuitBreaker:
    """One tenant's entity."""

    def test_opens_when_enough_calls_failed_over_enough_time(self) -> None:
        """It then refuses every call for a while."""
        breaker = opened(at_s=100.0)

        assert CircuitState.OPEN is breaker.state
        assert [OPEN_S, 1.0, 0.0] == [breaker.wait_s(now_s=now_s) for now_s in (100.0, 109.0, 110.0)]

    @pytest.mark.parametrize(
        ("failed_s", "reason"),
        [
            ([float(number * 10) for number in range(MIN_FAILURES - 1)], "too few, however long"),
            ([5.0] * 200, "a load balancer restarts and cuts everything at once"),
            ([number * (MIN_SILENCE_S - 0.1) / 199 for number in range(200)], "many, but not for long"),
            ([55.0], "one slow call"),
        ],
    )
    def test_stays_closed_at(self, failed_s: list[float], reason: str) -> None:
        """Small traffic, short breaks and single calls prove nothing."""
        breaker = CircuitBreaker()

        for now_s in failed_s:
            breaker.note_failure(sent_s=now_s - 1.0, now_s=now_s)

        assert CircuitState.CLOSED is breaker.state, reason

    def test_starts_again_after_an_answer(self) -> None:
        """Any answer shows that Zuora responds, even a refusal."""
        breaker = CircuitBreaker()
        for now_s in range(100):
            breaker.note_failure(sent_s=now_s, now_s=now_s)
            if now_s % (MIN_FAILURES - 1) == 0:
                breaker.note_answer(now_s=now_s)

        assert CircuitState.CLOSED is breaker.state

    def test_does_not_count_calls_sent_before_the_last_answer(self) -> None:
        """They were lost in a silence that has ended."""
        breaker = CircuitBreaker()
        breaker.note_answer(now_s=50.0)

        for now_s in range(55, 100):
            breaker.note_failure(sent_s=now_s - 54.0, now_s=now_s)

        assert CircuitState.CLOSED is breaker.state

    def test_lets_one_call_try(self) -> None:
        """While it is on its way the others are refused, but not for ever."""
        breaker = opened(at_s=100.0)

        breaker.begin_probe(now_s=110.0)

        assert CircuitState.HALF_OPEN is breaker.state
        assert [PROBE_S, 1.0, 0.0] == [breaker.wait_s(now_s=now_s) for now_s in (110.0, 139.0, 140.0)]

    def test_opens_again_when_the_probe_fails(self) -> None:
        """For as long as the first time."""
        breaker = opened(at_s=100.0)
        breaker.begin_probe(now_s=110.0)

        breaker.note_failure(sent_s=110.1, now_s=112.0)

        assert (CircuitState.OPEN, OPEN_S) == (breaker.state, breaker.wait_s(now_s=112.0))

    def test_is_not_kept_open_by_calls_that_were_sent_before_the_probe(self) -> None:
        """Their time runs out for a minute after Zuora is well again."""
        breaker = opened(at_s=100.0)
        breaker.note_failure(sent_s=60.0, now_s=109.0)
        assert 1.0 == breaker.wait_s(now_s=109.0)
        breaker.begin_probe(now_s=110.0)

        breaker.note_failure(sent_s=70.0, now_s=111.0)

        assert CircuitState.HALF_OPEN is breaker.state

    def test_closes_at_any_answer(self) -> None:
        """Also at one to a call that was sent long ago."""
        breaker = opened(at_s=100.0)

        breaker.note_answer(now_s=101.0)

        assert (CircuitState.CLOSED, 0.0) == (breaker.state, breaker.wait_s(now_s=101.0))


def fail(circuits: CircuitBreakers, reason: Reason, *, times: int = 2 * MIN_FAILURES, **noted: bool) -> None:
    """Note failures, one a second."""
    for now_s in range(times):
        error = call_error(reason, "private")
        noted = {"answered": False, "is_first": True} | noted
        circuits.note(KEY, error, sent_s=now_s, now_s=now_s, **noted)


class TestCircuitBreakers:
    """All tenants and entities."""

    def test_are_closed_where_nothing_was_sent_yet(self) -> None:
        """A metric asks for every tenant that is configured."""
        circuits = CircuitBreakers()

        assert (CircuitState.CLOSED, 0.0) == (circuits.state(KEY), circuits.wait_s(KEY, now_s=0.0))

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_open_at_failures_of_the_way_alone(self, reason: Reason) -> None:
        """A refusal, a limit and a fault of Zuora are answers; what failed before the send is no news."""
        circuits, expected = CircuitBreakers(), CircuitState.CLOSED
        if reason in {Reason.UPSTREAM_UNREACHABLE, Reason.UPSTREAM_NO_ANSWER, Reason.UPSTREAM_EDGE_FAILED}:
            expected = CircuitState.OPEN

        fail(circuits, reason)

        assert expected is circuits.state(KEY)

    def test_count_a_503_of_zuoras_own_as_an_answer(self) -> None:
        """It has a code, so Zuora itself wrote it."""
        circuits = CircuitBreakers()
        failure = Failure(Reason.UPSTREAM_EDGE_FAILED, "", evidence=UpstreamEvidence(("service_unavailable",)))
        fail(circuits, Reason.UPSTREAM_NO_ANSWER)

        circuits.note(KEY, error_for(failure), answered=True, is_first=True, sent_s=40.0, now_s=41.0)

        assert CircuitState.CLOSED is circuits.state(KEY)

    def test_count_one_failure_of_an_execution(self) -> None:
        """Its retries are the same bad luck."""
        circuits = CircuitBreakers()

        fail(circuits, Reason.UPSTREAM_NO_ANSWER, is_first=False)

        assert CircuitState.CLOSED is circuits.state(KEY)

    def test_refuse_with_the_remaining_time(self) -> None:
        """Nothing was sent; another tenant or entity is not concerned."""
        circuits = CircuitBreakers()
        fail(circuits, Reason.UPSTREAM_NO_ANSWER, times=MIN_FAILURES + 1)

        with pytest.raises(CallError) as caught:
            circuits.admit(KEY, now_s=12.0)

        assert (Reason.UPSTREAM_CIRCUIT_OPEN, Outcome.NOT_SENT) == (
            caught.value.failure.reason, caught.value.verdict.outcome
        )  # fmt: skip
        assert (8.0, {"tenant": "acme"}) == (
            caught.value.failure.evidence.retry_after_s, dict(caught.value.failure.metadata)
        )  # fmt: skip
        for entity in ("b" * 32, "c" * 32):
            circuits.admit(("acme", entity), now_s=12.0)
        assert "CircuitBreakers(3, 1 not closed)" == repr(circuits)

    def test_admit_one_probe(self) -> None:
        """The next call is refused again."""
        circuits = CircuitBreakers()
        fail(circuits, Reason.UPSTREAM_NO_ANSWER, times=MIN_FAILURES + 1)

        for _ in range(2):
            circuits.check(KEY, now_s=20.0)
        circuits.admit(KEY, now_s=20.0)

        assert CircuitState.HALF_OPEN is circuits.state(KEY)
        with pytest.raises(CallError, match=r"another may try in 29\.0 s"):
            circuits.admit(KEY, now_s=21.0)

    def test_log_what_changes(self) -> None:
        """A probe that fails changes nothing."""
        circuits = CircuitBreakers()
        with capture_logs() as log:
            fail(circuits, Reason.UPSTREAM_NO_ANSWER, times=MIN_FAILURES + 1)
            circuits.admit(KEY, now_s=20.0)
            circuits.note(
                KEY,
                call_error(Reason.UPSTREAM_NO_ANSWER, ""),
                answered=False,
                is_first=True,
                sent_s=20.0,
                now_s=21.0,
            )
            circuits.note(KEY, None, answered=True, is_first=True, sent_s=31.0, now_s=32.0)

        assert ["circuit_opened", "circuit_closed"] == [line["event"] for line in log]
        assert {KEY} == {(line["tenant"], line["entity_id"]) for line in log}
