import random
from collections import Counter

import pytest
from harness.hub_configuration import PASSWORD
from programs.chaos import judge as rules
from programs.chaos.__main__ import SECRETS, main
from programs.chaos.faults import CausedFault, Faults
from programs.chaos.judge import Evidence, Execution, Finding, judge, judge_hub, leaks
from programs.chaos.report import table
from programs.chaos.schedule import KINDS, MOVE, Fault, drawn_schedule, kinds_of
from programs.simulation.grpc_context import FIX, LOOK_UP, NEW, RESEND, Seen
from programs.simulation.intent import Answer, Intent, Purpose
from zuora_emulator import seed

ACCOUNT = "account"
KEY = "po1-1"
SUCCESS = Seen("SUCCEEDED", "NONE", ids=frozenset({"pm-1"}))


def intent_of(*seen: Seen, rpc: str = "DecryptApplePay", began_s: float = 10.0, bodies: tuple[int, ...] = ()) -> Intent:
    """Return an intent with these answers, one a second."""
    purpose = Purpose("p0", "default", rpc, account_id=ACCOUNT, pays=rpc == "DecryptApplePay")
    intent = Intent("p0.0", purpose, "request-id-000001", KEY, (b"", b""))
    purpose.intents.append(intent)
    for number, seen_ in enumerate(seen):
        body = bodies[number] if bodies else 0
        intent.answers.append(Answer(number, began_s + number, began_s + number + 0.5, 20.0, body, seen_, ""))
    return intent


def execution(
    time_s: float = 10.2,
    *,
    place: str = "acme",
    account: str = ACCOUNT,
    track_id: str = "t1",
    key: str = KEY,
    ids: str = "pm-1",
    is_paid: bool = True,
) -> Execution:
    """Return an entry of a ledger."""
    return Execution(
        time_s=time_s,
        place=place,
        account=account,
        track_id=track_id,
        key=key,
        ids=frozenset(ids.split()),
        is_paid=is_paid,
    )


def found(
    intent: Intent,
    *executions: Execution,
    losses_s: tuple[float, ...] = (),
    moves_s: tuple[float, ...] = (),
    away_s: tuple[tuple[float, float], ...] = (),
    places: tuple[tuple[float, str], ...] = ((0.0, "acme"),),
) -> list[tuple[str, str]]:
    """Return rule and excuse of each finding."""
    evidence = Evidence(
        purposes=[intent.purpose],
        by_track_id={"t1": intent},
        executions=executions,
        places=places,
        losses_s=losses_s,
        moves_s=moves_s,
        away_s=away_s,
    )
    return [(finding.rule, finding.excuse) for finding in judge(evidence)]


class TestJudge:
    """The ledgers and the answers that callers received must agree."""

    def test_finds_nothing_where_they_agree(self) -> None:
        """An answer that was lost, and the same intent again."""
        lost = Seen("UNKNOWN", RESEND, "UPSTREAM_NO_ANSWER")
        assert found(intent_of(lost, SUCCESS), execution()) == []

    @pytest.mark.parametrize(
        ("rpc", "rule"), [("DecryptApplePay", rules.DOUBLE_MONEY), ("CreatePaymentMethod", rules.DOUBLE)]
    )
    def test_finds_a_second_execution(self, rpc: str, rule: str) -> None:
        """Of money, and of everything else."""
        is_paid = rule == rules.DOUBLE_MONEY
        twice = execution(is_paid=is_paid), execution(10.4, is_paid=is_paid)
        assert [(rule, "")] == found(intent_of(SUCCESS, rpc=rpc), *twice)

    def test_finds_what_was_done_under_two_intents(self) -> None:
        """By a caller that followed the advice to use a new one."""
        first = intent_of(Seen("REFUSED", NEW, "PAYMENT_DECLINED"))
        second = Intent(
            "p0.1", first.purpose, "request-id-000002", "po1-2", (b"", b""), list(intent_of(SUCCESS).answers)
        )
        first.purpose.intents.append(second)
        evidence = Evidence(
            purposes=[first.purpose],
            by_track_id={"t1": first, "t2": second},
            executions=[execution(ids="pm-0"), execution(track_id="t2", key="po1-2")],
            places=[(0.0, "acme")],
        )
        assert Counter({rules.DOUBLE_MONEY: 1, rules.REFUSED: 1}) == Counter(
            finding.rule for finding in judge(evidence)
        )

    @pytest.mark.parametrize(
        ("seen", "reason"),
        [
            (Seen("REFUSED", NEW, "PAYMENT_DECLINED"), "refused for good"),
            (Seen("NOT_SENT", FIX, "ROUTE_NOT_FOUND"), "not to be resent"),
        ],
    )
    def test_finds_executions_that_were_answered_as_refused(self, seen: Seen, reason: str) -> None:
        """Whether Zuora or the service is said to have refused it."""
        assert [(rules.REFUSED, "")] == found(intent_of(seen), execution()), reason

    @pytest.mark.parametrize(
        ("seen", "reason"),
        [
            (Seen("NOT_SENT", FIX, "INTENT_MISMATCH"), "it is about another body"),
            (Seen("NOT_SENT", RESEND, "STORE_UNAVAILABLE"), "an earlier call may have been executed"),
            (Seen("UNKNOWN", LOOK_UP, "UPSTREAM_INTERNAL"), "it denies nothing"),
        ],
    )
    def test_counts_no_other_error_as_a_denial(self, seen: Seen, reason: str) -> None:
        """The caller is not led to do it again."""
        assert found(intent_of(seen, SUCCESS), execution()) == [], reason

    @pytest.mark.parametrize(("ids", "executed"), [("", ()), ("pm-2", (execution(ids="pm-2"),))])
    def test_finds_a_success_without_its_execution(self, ids: str, executed: tuple[Execution, ...]) -> None:
        """Nothing was executed, or something else."""
        assert [(rules.SUCCEEDED, "")] == found(intent_of(SUCCESS), *executed), ids

    def test_finds_a_success_that_moved_no_money(self) -> None:
        """Although its caller asked for a payment."""
        assert [(rules.SUCCEEDED, "")] == found(intent_of(SUCCESS), execution(is_paid=False))

    def test_finds_a_success_that_names_nothing(self) -> None:
        """Only the record of a session has no ids."""
        nothing = Seen("SUCCEEDED", "NONE")
        assert [(rules.SUCCEEDED, "")] == found(intent_of(nothing), execution())
        session = intent_of(SUCCESS, nothing, rpc="CreateSession")
        session.answers[-1].looked_up = True
        assert found(session, execution(is_paid=False)) == []

    def test_finds_ids_of_something_else_in_an_error(self) -> None:
        """A caller takes what exists for its own."""
        partial = Seen("PARTIAL", LOOK_UP, "PAYMENT_FAILED", ids=frozenset({"pm-2"}))
        assert [(rules.SUCCEEDED, "")] == found(intent_of(partial), execution())

    @pytest.mark.parametrize("rpc", ["CreateSession", "CreatePaymentMethod"])
    def test_finds_money_that_was_not_asked_for(self, rpc: str) -> None:
        """Even if it moved once."""
        assert [(rules.UNFORESEEN, "")] == found(intent_of(SUCCESS, rpc=rpc), execution())

    def test_finds_an_intent_that_stays_open(self) -> None:
        """No resend settled it."""
        assert [(rules.UNSETTLED, "")] == found(intent_of(Seen("UNKNOWN", RESEND, "STILL_RUNNING")), execution())

    def test_finds_executions_under_an_unknown_track_id(self) -> None:
        """A caller that looks it up finds nothing."""
        intent = intent_of(Seen("UNKNOWN", LOOK_UP, "UPSTREAM_INTERNAL"))
        assert [(rules.LOST, "")] == found(intent, execution(track_id="t9"))

    def test_finds_advice_that_contradicts_its_outcome(self) -> None:
        """A new intent after UNKNOWN could pay twice."""
        assert [(rules.UNFORESEEN, "")] == found(intent_of(Seen("UNKNOWN", NEW, "UPSTREAM_INTERNAL")))
        assert found(intent_of(Seen("UNKNOWN", NEW, "UPSTREAM_INTERNAL"), rpc="CreateSession")) == []

    def test_finds_another_account(self) -> None:
        """It belongs to another entity."""
        assert [(rules.MISPLACED, "")] == found(intent_of(SUCCESS), execution(account="other"))

    @pytest.mark.parametrize(
        ("places", "is_right"),
        [
            ([(0.0, "moved")], False),
            ([(0.0, "acme"), (9.0, "moved")], True),
            ([(0.0, "moved"), (30.0, "acme")], False),
        ],
    )
    def test_finds_a_place_where_no_policy_led(self, places: list[tuple[float, str]], is_right: bool) -> None:  # noqa: FBT001 - a case
        """Replicas may follow an older policy for some seconds, and none that comes later."""
        assert ([] if is_right else [(rules.MISPLACED, "")]) == found(
            intent_of(SUCCESS), execution(), places=tuple(places)
        )


class TestExcuses:
    """Only what the documents except."""

    def test_needs_a_lost_record_and_a_moved_route(self) -> None:
        """Either alone excuses nothing."""
        twice = execution(10.1), execution(10.4, place="moved")
        places = ((0.0, "acme"), (10.2, "moved"))
        for losses_s, moves_s, excuse in (
            ((10.3,), (10.2,), rules.RECORD_LOST),
            ((10.3,), (), ""),
            ((), (10.2,), ""),
            ((10.45,), (10.2,), ""),
        ):
            intent = intent_of(SUCCESS)
            # In whatever order the ledgers of the places are read.
            assert [(rules.DOUBLE_MONEY, excuse)] == found(
                intent, *reversed(twice), losses_s=losses_s, moves_s=moves_s, places=places
            )

    def test_needs_a_lost_record_and_a_changed_body(self) -> None:
        """No longer detected after a loss."""
        intent = intent_of(SUCCESS, SUCCESS, bodies=(0, 1))
        assert [(rules.DOUBLE_MONEY, rules.RECORD_LOST)] == found(
            intent, execution(), execution(11.2), losses_s=(11.0,)
        )

    @pytest.mark.parametrize("end", [SUCCESS, Seen("REFUSED", NEW, "PAYMENT_DECLINED")])
    def test_needs_another_body_that_was_sent(self, end: Seen) -> None:
        """One that was refused before explains neither a second execution nor a refusal."""
        unsent = Seen("NOT_SENT", FIX, "INTENT_MISMATCH")
        for other, excuse in ((unsent, ""), (Seen("UNKNOWN", LOOK_UP, "UPSTREAM_INTERNAL"), rules.RECORD_LOST)):
            intent = intent_of(SUCCESS, other, end, bodies=(0, 1, 0))
            executions = [execution(), execution(12.2)] if end is SUCCESS else [execution()]
            rule = rules.DOUBLE_MONEY if end is SUCCESS else rules.REFUSED
            assert [(rule, excuse)] == found(intent, *executions, losses_s=(11.0,))

    @pytest.mark.parametrize("rpc", ["DecryptApplePay", "CreatePaymentMethod"])
    def test_needs_the_same_key(self, rpc: str) -> None:
        """A lost record does not change it, wherever the route leads afterwards."""
        is_paid = rpc == "DecryptApplePay"
        twice = execution(is_paid=is_paid), execution(10.4, key="po1-9", place="moved", is_paid=is_paid)
        places = ((0.0, "acme"), (10.2, "moved"))
        [(_, excuse)] = found(intent_of(SUCCESS, rpc=rpc), *twice, losses_s=(10.3,), moves_s=(10.2,), places=places)
        assert not excuse

    @pytest.mark.parametrize(("rpc", "excuse"), [("CreateSession", rules.UNRECORDED), ("CreatePaymentMethod", "")])
    def test_excepts_sessions_while_the_store_is_away(self, rpc: str, excuse: str) -> None:
        """Nothing else is sent without a record."""
        twice = execution(is_paid=False), execution(10.4, is_paid=False)
        assert [(rules.DOUBLE, excuse)] == found(intent_of(SUCCESS, rpc=rpc), *twice, away_s=((9.0, 11.0),))

    @pytest.mark.parametrize(("rpc", "excuse"), [("CreateSession", rules.FRESH_KEY), ("CreatePaymentMethod", "")])
    def test_excepts_sessions_under_a_fresh_key(self, rpc: str, excuse: str) -> None:
        """After a passing refusal that Zuora has recorded."""
        twice = execution(is_paid=False), execution(10.4, key="po1-9", is_paid=False)
        assert [(rules.DOUBLE, excuse)] == found(intent_of(SUCCESS, rpc=rpc), *twice)


class TestHub:
    """Zuora's states and the gateway's ledger must agree."""

    @pytest.mark.parametrize(
        ("approved", "refused", "moved", "rule"),
        [
            ({"1"}, set(), {"k1": 1}, ""),
            (set(), {"1"}, {}, ""),
            ({"1"}, set(), {"k1": 2}, rules.DOUBLE_MONEY),
            ({"1"}, set(), {"k1": 1, "k9": 1}, rules.LOST),
            ({"1"}, set(), {}, rules.SUCCEEDED),
            (set(), {"1"}, {"k1": 1}, rules.REFUSED),
            (set(), set(), {"k1": 1}, rules.UNSETTLED),
        ],
    )
    def test_is_judged(self, approved: set[str], refused: set[str], moved: dict[str, int], rule: str) -> None:
        """By payment."""
        findings = judge_hub(keys={"1": "k1"}, approved=approved, refused=refused, moved=Counter(moved))
        assert [rule] * bool(rule) == [finding.rule for finding in findings]


class TestLeaks:
    """A secret of the load in any log is found."""

    def test_are_found(self) -> None:
        """And not shown."""
        (leak,) = leaks({"replica-0": b"... 4242424242424242 ...", "audit": b""}, ("4242424242424242", "DE89"))
        assert (leak.rule, "4242424242" in leak.text) == (rules.LEAKED, False)

    def test_of_connections_are_looked_for(self) -> None:
        """The hub's password and the secret of Zuora's client, beside what payments hold."""
        assert {PASSWORD, seed.CLIENT_A.client_secret} < set(SECRETS)


class TestSchedule:
    """The faults that a seed draws."""

    def test_is_the_same_for_the_same_seed(self) -> None:
        """So that a failing run can be repeated."""
        one, same, other = (drawn_schedule(random.Random(seed), seconds=60.0) for seed in (1, 1, 2))  # noqa: S311 - repeatable
        assert one == same != other

    def test_has_every_kind_before_any_is_repeated(self) -> None:
        """In the order of their times."""
        faults = drawn_schedule(random.Random(1), seconds=300.0)  # noqa: S311 - repeatable
        kinds = [fault.kind for fault in faults if fault.kind != MOVE]
        assert sorted(kinds[: len(KINDS) - 1]) == sorted(set(KINDS) - {MOVE})
        assert sorted(fault.begin_s for fault in faults) == [fault.begin_s for fault in faults]

    def test_moves_the_destination_while_answers_are_lost(self) -> None:
        """Only where moves are asked for."""
        kinds = [
            Counter(fault.kind for fault in drawn_schedule(random.Random(1), seconds=300.0, only=only))  # noqa: S311 - repeatable
            for only in ("zuora-halve route-tenant", "zuora-halve")
        ]
        assert kinds[0][MOVE] > kinds[0]["zuora-halve"]
        assert set(kinds[1]) == {"zuora-halve"}

    def test_has_only_what_is_asked_for(self) -> None:
        """A kind, or all that happens to one part."""
        assert list(kinds_of("store-flush")) == ["store-flush"]
        assert {kind.partition("-")[0] for kind in kinds_of("store hub")} == {"store", "hub"}
        with pytest.raises(SystemExit):
            main(["--only", "weather"])

    def test_has_a_cause_for_every_kind(self) -> None:
        """And none for anything else."""
        assert set(Faults._CAUSES) == set(KINDS)


class TestTable:
    """A line for each fault."""

    def test_counts_what_happened_under_each(self) -> None:
        """Calls and findings of its time, and all of them in the last line."""
        answers = intent_of(Seen("NOT_SENT", RESEND, "STORE_UNAVAILABLE"), SUCCESS).answers
        caused = [CausedFault(Fault("store-full", 9.0, 0.1, 0.0), 9.0, 9.4, "")]
        findings = [Finding(rules.LOST, "", 10.0, 11.0), Finding(rules.DOUBLE, "", 50.0, 51.0, rules.UNRECORDED)]
        _, full, everything = (line.split() for line in table(caused, answers, findings))
        assert ["store-full", "1", "1", "1", "0", "0", "0", "0", "1", "0", "0", "0", "0", "0"] == full
        assert ["all", "1", "2", "1", "0", "0", "0", "0", "1", "0", "0", "0", "0", "1"] == everything
