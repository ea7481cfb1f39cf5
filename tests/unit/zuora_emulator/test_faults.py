from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zuora_emulator.answers import Answer
from zuora_emulator.damage import damaged
from zuora_emulator.declines import DECLINES
from zuora_emulator.faults import Fault, Faults, FaultSyntaxError, Kind, parse_fault
from zuora_emulator.operations import BY_NAME, HUB_SENDS

OF_SECONDS = {Kind.SLOW, Kind.DRIP}
WITH_ARGUMENT = OF_SECONDS | {Kind.STATUS, Kind.STATUS_AFTER, Kind.SUCCESS_FALSE}
OF_HUB = {Kind.REFUSED, Kind.LOST, Kind.DELAYED, Kind.DUPLICATED}
operations = st.sampled_from(sorted(BY_NAME))
plain = st.builds(
    Fault,
    operation=operations,
    kind=st.sampled_from(sorted(set(Kind) - OF_HUB - WITH_ARGUMENT)),
)
of_hub = st.builds(
    Fault, operation=st.sampled_from(HUB_SENDS), kind=st.sampled_from(sorted(OF_HUB - {Kind.DELAYED}))
) | st.builds(
    Fault,
    operation=st.sampled_from(HUB_SENDS),
    kind=st.just(Kind.DELAYED),
    seconds=st.integers(1, 86_400).map(float),
)
damages = st.builds(
    Fault,
    operation=operations,
    kind=st.sampled_from([Kind.CUT, Kind.BAD_CODING, Kind.TOO_LARGE, Kind.BOMB]),
    status=st.integers(200, 599),
)
statuses = st.builds(Fault, operation=operations, kind=st.just(Kind.STATUS), status=st.integers(400, 599))
late_statuses = st.builds(Fault, operation=operations, kind=st.just(Kind.STATUS_AFTER), status=st.integers(400, 599))
throttles = st.builds(
    Fault,
    operation=operations,
    kind=st.just(Kind.STATUS),
    status=st.sampled_from([429, 503]),
    seconds=st.integers(1, 86_400).map(float),
)
slow = st.builds(
    Fault,
    operation=operations,
    kind=st.sampled_from(sorted(OF_SECONDS)),
    seconds=st.integers(1, 999_999).map(lambda thousandths: thousandths / 1000),
)
declines = st.builds(
    Fault,
    operation=operations,
    kind=st.sampled_from([Kind.DECLINED, Kind.DECLINED_AS_FAULT]),
    decline=st.sampled_from(sorted(DECLINES)),
)
refusals = st.builds(
    Fault, operation=operations, kind=st.just(Kind.SUCCESS_FALSE), code=st.integers(10_000_000, 99_999_999)
)


@given(st.one_of(plain, damages, statuses, late_statuses, throttles, slow, declines, refusals, of_hub))
def test_parse_reads_what_is_written(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault


@given(st.text(alphabet="abcdeknopstu_:0159.- \u0665", max_size=40))
def test_parse_refuses_in_a_sentence_or_reads(text: str) -> None:
    try:
        fault = parse_fault(text)
    except FaultSyntaxError as problem:
        assert str(problem).endswith((".", "?"))  # noqa: PT017 - either outcome is right
    else:
        assert fault.operation in BY_NAME


@pytest.mark.parametrize(
    ("text", "part", "reason"),
    [
        ("", "is no operation", "nothing"),
        ("sessions", "is no kind", "no kind"),
        ("session:500", "is no operation", "a wrong name"),
        ("sessions:status", "is no kind", "the internal word for a number"),
        ("sessions:200", "no error status", "a success"),
        ("sessions:600", "no error status", "beyond HTTP"),
        ("sessions:500:1", "does not", "an argument too much"),
        ("sessions:status_after", "is no kind", "the internal word for a late status"),
        ("sessions:399_after", "no error status", "a redirect"),
        ("sessions:499_after:1", "no argument", "an argument too much"),
        ("sessions:429:x", "no number", "words for seconds"),
        ("sessions:cut:199", "no status", "an interim answer"),
        ("sessions:cut:x", "no argument", "no status"),
        ("sessions:bom:400", "no argument", "a status that it does not take"),
        ("sessions:429:1.5", "whole seconds", "half a second"),
        ("sessions:slow", "no number", "no seconds"),
        ("sessions:slow:0", "not between", "no time"),
        ("sessions:slow:nan", "not between", "no number at all"),
        ("sessions:slow:inf", "not between", "for ever"),
        ("sessions:success_false", "8-digit", "no code"),
        ("sessions:success_false:123", "8-digit", "a short code"),
        ("sessions:drop:1", "no argument", "an argument too much"),
    ],
)
def test_parse_says_what_is_wrong(text: str, part: str, reason: str) -> None:
    with pytest.raises(FaultSyntaxError, match=part):
        parse_fault(text)


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_queue_forgets_a_fault_whose_time_is_over() -> None:
    faults = Faults()
    faults.add("sessions:500", times="always", until=NOW + timedelta(seconds=60))
    faults.add("sessions:drop", until=NOW + timedelta(seconds=90))
    shown = faults.waiting()

    taken = [faults.take("sessions", NOW + timedelta(seconds=seconds)) for seconds in (0, 59, 60, 60)]

    assert [str(fault) for fault in taken] == ["sessions:500", "sessions:500", "sessions:drop", "None"]
    assert shown[0] == {"fault": "sessions:500", "times": "always", "until": "2026-11-20T12:01:00+00:00"}
    assert faults.waiting() == []


def test_star_is_every_operation_but_token() -> None:
    faults = Faults()
    faults.add("*:429:30")

    assert {row["fault"] for row in faults.waiting()} == {f"{name}:429:30" for name in BY_NAME if name != "token"}


def test_queue_counts_down() -> None:
    faults = Faults()
    faults.add("sessions:500", times=2)
    faults.add("sessions:drop", times="always")

    taken = [str(faults.take("sessions", NOW)) for _ in range(4)]

    assert taken == ["sessions:500", "sessions:500", "sessions:drop", "sessions:drop"]
    assert faults.take("token", NOW) is None
    assert faults.waiting() == [{"fault": "sessions:drop", "times": "always"}]


def test_queue_refuses_no_times() -> None:
    with pytest.raises(FaultSyntaxError, match="at least one"):
        Faults().add("sessions:500", times=0)


def test_a_status_does_not_damage_a_replay() -> None:
    """The stored answer comes back with its own status; only damage on the way puts another in its place."""
    stored = Answer(200, b"{}")

    assert damaged(stored, parse_fault("sessions:403")) == stored
    assert damaged(stored, parse_fault("sessions:too_large:403")).status == 403
