"""How `make cluster NODE=1` judges what a fleet did: by the ledger, not by the answers that callers received."""

from types import SimpleNamespace
from typing import Any

import pytest
from harness.requests import session_request
from programs.cluster import live
from programs.cluster.__main__ import arguments, closing
from programs.cluster.fleet import events, names
from programs.cluster.fleet.callers import Effect, FailedError
from programs.cluster.fleet.load import Call
from programs.cluster.fleet.reconciliation import key_of, problems
from programs.cluster.fleet.report import Event, by_event
from programs.cluster.helm import CHART
from zuora_emulator.ledger import short_hash

_TOKEN = "token-of-the-session"


def call(*, began_s: float = 0.0, ended_s: float = 1.0, effect: Effect | None = None) -> Call:
    """Return a call that ended."""
    made = Call("watches health", "shop", "CreateSession", session_request(), began_s, ended_s, sends=1)
    made.effect = effect
    return made


def entry(of: Call, *, token: str = _TOKEN) -> dict[str, Any]:
    """Return the ledger's entry of a call."""
    return {"idempotency_key": key_of(of), "effects": {"session_token_sha256": short_hash(token)}}


class TestLedgerOfAFleet:
    """The answers that callers received have to agree with it."""

    def test_agrees_with_calls_that_were_executed_once(self) -> None:
        """Nothing is wrong then."""
        made = call(effect=Effect(session_token=_TOKEN))

        assert problems([made], [entry(made)]) == []

    @pytest.mark.parametrize(
        ("executed", "denial", "found"),
        [
            (2, "", "were executed more than once"),
            (0, "", "were answered with success and never executed"),
            (1, "OUTCOME_NOT_SENT", "were executed although the answer was OUTCOME_NOT_SENT"),
            (1, "OUTCOME_REFUSED", "were executed although the answer was OUTCOME_REFUSED"),
        ],
    )
    def test_contradicts_false_answers(self, *, executed: int, denial: str, found: str) -> None:
        """Doubles, losses and refusals after an effect are named."""
        made = call(effect=None if denial else Effect(session_token=_TOKEN))
        made.denial = denial

        (problem,) = problems([made], [entry(made)] * executed)

        assert found in problem

    def test_shows_an_answer_with_the_effect_of_another_call(self) -> None:
        """The identifier in the answer is that of the execution."""
        made = call(effect=Effect(session_token="of-another"))

        (problem,) = problems([made], [entry(made)])

        assert "an effect other than" in problem

    def test_shows_an_answer_that_omits_a_payment(self) -> None:
        """Its caller does not know of the money that moved."""
        made = call(effect=Effect(payment_method_id="pm-1"))
        executed = {"idempotency_key": key_of(made), "effects": {"payment_method_id": "pm-1", "payment_id": "p-1"}}

        (problem,) = problems([made], [executed])

        assert "an effect other than" in problem

    def test_shows_an_execution_that_no_caller_sent(self) -> None:
        """Every key is that of a call."""
        (problem,) = problems([], [entry(call())])

        assert "that no caller sent" in problem


class TestFailedCall:
    """What its outcome says of an execution."""

    @pytest.mark.parametrize("outcome", ["NOT_SENT", "REFUSED", "UNKNOWN", "PARTIAL"])
    def test_denies_an_execution_only_where_nothing_was_executed(self, outcome: str) -> None:
        """Any other outcome leaves it open."""
        failed = FailedError("", advice="", outcome=f"OUTCOME_{outcome}")

        assert bool(failed.denial) is (outcome in {"NOT_SENT", "REFUSED"})


class TestCallerOfAFleet:
    """Whether all pods know it, or refuse it."""

    @pytest.mark.parametrize(
        ("answers", "all_know", "all_refuse"),
        [
            ([True, True], True, False),
            ([False, False], False, True),
            ([True, False], False, False),
            ([False, None], False, False),
            ([], False, False),
        ],
    )
    def test_is_known_only_by_pods_that_answer(
        self, monkeypatch: pytest.MonkeyPatch, answers: list[bool | None], *, all_know: bool, all_refuse: bool
    ) -> None:
        """No pod, or one that cannot be reached, shows neither."""
        pods = [{"status": {"podIP": str(number)}} for number in range(len(answers))]
        fleet: Any = SimpleNamespace(ready_pods=lambda _component: pods)
        monkeypatch.setattr(events, "_knows", lambda _fleet, address, _token: answers[int(address)])

        found = [events.all_answer(fleet, "token", known=known) for known in (True, False)]

        assert found == [all_know, all_refuse]


class TestRunOfAFleet:
    """What `make cluster` is asked for, and what it says at the end."""

    @pytest.mark.parametrize("words", [["--only-fleet"], ["--events", "policy"]])
    def test_needs_nodes(self, words: list[str]) -> None:
        """Without them nothing would run, and nothing fail."""
        with pytest.raises(SystemExit):
            arguments(words)

    @pytest.mark.parametrize(
        ("words", "scenarios", "fleet"),
        [([], True, False), (["--node"], True, True), (["--node", "--only-fleet"], False, True)],
    )
    def test_claims_only_what_ran(self, words: list[str], *, scenarios: bool, fleet: bool) -> None:
        """Scenarios of the chart, and the fleet."""
        shown = closing(arguments(words))

        assert ("every scenario is accepted" in shown, "The fleet on two nodes" in shown) == (scenarios, fleet)


class TestNamespaceOfAFleet:
    """It is made once, in a cluster in which much has run before."""

    def test_is_that_of_no_scenario(self) -> None:
        """Those are named by their files, and stay when a scenario is removed."""
        scenarios = {f"payorch-{file.name.removesuffix('-values.yaml')}" for file in (CHART / "ci").iterdir()}

        assert names.NAMESPACE not in scenarios | {live.NAMESPACE}


class TestTableOfAFleet:
    """Every call counts in one line."""

    def test_counts_a_call_for_the_first_event_that_it_overlaps(self) -> None:
        """A call that began before an event and ended in it counts for it; one that overlaps none, between events."""
        calls = [call(began_s=0.0, ended_s=2.0), call(began_s=5.0, ended_s=6.0)]

        lines = list(by_event(calls, [Event("drain", 1.0, 3.0), Event("roll", 1.5, 4.0)], {}))

        assert [line.split()[-6] for line in lines[1:]] == ["1", "1", "0"]
