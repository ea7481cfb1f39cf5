import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from programs.bench import gate
from programs.bench.calls import RPCS
from programs.bench.children import Running, running, tree_cpu_s
from programs.bench.figures import GOALS, RATIOS, Added, Goal, Ratio, Round, figure, figure_of, rounds_of
from programs.bench.levels import CREATE_SESSION, DECRYPT_APPLE_PAY, Level
from programs.bench.measure import Sample, stands_still
from programs.bench.report import goal_table, tables
from programs.bench.rows import NAMES, Rows

BUSY = Level(CREATE_SESSION, 32)
TO_FLOOR = Ratio("cpu", "service", ("echo", "httpx"))


def sample(row: str, cpu_us: float, *, number: int = 1, level: Level = BUSY) -> Sample:
    """Return a sample whose latencies are ten and twenty times its CPU time."""
    return Sample(row, number, *level, calls=1, calls_per_s=1, cpu_us=cpu_us, p50_us=cpu_us * 10, p99_us=cpu_us * 20)


def measured(*samples: Sample) -> Round:
    """Return the one round of some samples."""
    (only,) = rounds_of(samples)
    return only


class TestRatio:
    """A row over the sum of others, within one round."""

    def test_divides_by_the_sum_of_the_rows_below(self) -> None:
        """The floor of the service is an echo and a client together."""
        assert TO_FLOOR.value(measured(sample("service", 900), sample("echo", 100), sample("httpx", 200)), BUSY) == 3

    def test_reads_the_member_that_it_names(self) -> None:
        """The other members of these samples would give another ratio."""
        slow, fast = Sample("service", 1, *BUSY, 1, 1, 1, 2, 30), Sample("echo", 1, *BUSY, 1, 1, 1, 1, 10)

        values = [
            Ratio(member, "service", ("echo",)).value(measured(slow, fast), BUSY) for member in ("cpu", "p50", "p99")
        ]

        assert values == [1, 2, 3]

    @pytest.mark.parametrize("level", [BUSY, Level(CREATE_SESSION, 1)], ids=str)
    def test_is_unknown_unless_every_row_was_measured_at_the_level(self, level: Level) -> None:
        """Rows can be selected, and some cannot be built everywhere."""
        httpx_elsewhere = sample("httpx", 1, level=Level(CREATE_SESSION, 256))

        assert TO_FLOOR.value(measured(sample("service", 1), sample("echo", 1), httpx_elsewhere), level) is None

    def test_is_taken_of_each_round_before_the_median(self) -> None:
        """A slow minute slows all rows of its round; dividing medians would mix rounds."""
        costs = {"service": (100, 600, 30), "echo": (50, 200, 30)}
        samples = [
            sample(row, cost, number=number) for row, found in costs.items() for number, cost in enumerate(found)
        ]

        found = figure_of(Ratio("cpu", "service", ("echo",)), rounds_of(samples), BUSY)

        assert found is not None
        assert found.median == 2


class TestFigure:
    """Median and spread."""

    @pytest.mark.parametrize(
        ("values", "median", "spread"),
        [
            ([2.0], 2, 0),
            ([1.0, 2.0, 5.0], 2, 1),
            ([9.0, 10.0, 11.0, 10.0], 10, 0.1),
            ([-4.0, -2.0, 0.0], -2, 1),
            ([0.0], 0, 0),
        ],
    )
    def test_has_half_the_range_as_spread(self, values: list[float], median: float, spread: float) -> None:
        """As a share of the median, never negative."""
        found = figure(values)

        assert (found.median, found.spread) == (median, pytest.approx(spread))


class TestAdded:
    """What a variant costs beyond a plain call."""

    def test_is_scaled_by_the_echo(self) -> None:
        """A machine on which the echo takes half as long would have added half as much."""
        decrypted = sample("service", 1_200, level=Level(DECRYPT_APPLE_PAY, 32))
        found = measured(sample("service", 1_000), decrypted, sample("echo", 205))

        assert Added("service", DECRYPT_APPLE_PAY).value(found, BUSY) == 400

    def test_is_unknown_without_the_echo(self) -> None:
        """It could not be scaled."""
        assert Added("redis", CREATE_SESSION).value(measured(sample("service", 1), sample("redis", 2)), BUSY) is None


class TestGoals:
    """What the figures should be."""

    def test_name_rows_that_exist(self) -> None:
        """A goal whose row was renamed would silently be left out."""
        ratios = [*RATIOS, *(goal.of for goal in GOALS if isinstance(goal.of, Ratio))]
        added = {goal.of.row for goal in GOALS if isinstance(goal.of, Added)}

        assert {row for ratio in ratios for row in (ratio.above, *ratio.below)} | added <= {*NAMES, "against"}

    @pytest.mark.parametrize(
        ("values", "most", "least"),
        [
            ([1.0, 2.0], "reached", "open"),
            ([2.0], "reached", "reached"),
            ([1.9, 2.1], "open", "open"),
            ([2.0, 3.0], "open", "reached"),
            ([2.1, 3.0], "missed", "reached"),
            ([1.0, 1.9], "reached", "missed"),
        ],
    )
    def test_are_decided_only_where_all_rounds_agree(self, values: list[float], most: str, least: str) -> None:
        """A median beside the limit says nothing while the rounds lie on both sides of it."""
        verdicts = [Goal(TO_FLOOR, 2.0, at_least=at_least).verdict(figure(values)) for at_least in (False, True)]

        assert verdicts == [most, least]

    def test_are_listed_with_what_was_measured(self) -> None:
        """Only those whose rows were measured."""
        listed = goal_table([sample("service", 100), sample("naive", 200)])

        assert listed.splitlines()[1:] == [
            "cpu: naive / service                          32      2.00 ±0%        >= 3.5        missed"
        ]

    def test_table_is_empty_without_rows(self) -> None:
        """A short form prints nothing about goals."""
        assert not goal_table([sample("hub", 1)])


class TestTables:
    """What is printed."""

    def test_have_one_part_for_each_kind_of_call(self) -> None:
        """Their costs have nothing in common."""
        printed = tables(
            [sample("service", 3), sample("echo", 2), sample("service", 5, level=Level(DECRYPT_APPLE_PAY, 32))]
        )

        assert [line for line in printed.splitlines() if "in flight" in line or "us CPU" in line or " / " in line] == [
            "CreateSession, in flight                      32",
            "cpu: service / echo                     1.50 ±0%",
            "p50: service / echo                     1.50 ±0%",
            "p99: service / echo                     1.50 ±0%",
            "service, us CPU/call                           3",
            "echo, us CPU/call                              2",
            "DecryptApplePay, in flight                    32",
            "service, us CPU/call                           5",
        ]


class TestGate:
    """Whether a call has become dearer."""

    RECORD = gate.Recorded(ratio="cost", in_flight=32, value=5.0, measured="here")

    @pytest.mark.parametrize(
        ("value", "second", "passed"),
        [(5.0, [], True), (7.0, [], True), (7.01, [6.99], True), (7.01, [7.01], False)],
        ids=["as recorded", "at the limit", "too large once", "too large twice"],
    )
    def test_measures_again_before_it_fails(self, value: float, second: list[float], passed: bool) -> None:  # noqa: FBT001
        """One bad minute of a shared machine is no regression; forty percent twice is."""
        left = list(second)

        verdict = gate.judge(self.RECORD, value, lambda: left.pop(0))

        assert (verdict.passed, left) == (passed, [])

    def test_tells_all_figures(self) -> None:
        """The log of a failed run is all that remains of it."""
        verdict = gate.judge(self.RECORD, 8.0, lambda: 9.0)

        assert verdict.text == (
            "gate: cost at 32 in flight is 8.00 and then 9.00; 5.00 is recorded, at most 7.00 would pass"
        )

    def test_compares_with_a_ratio_that_is_measured(self) -> None:
        """With how it was measured beside it."""
        record = gate.recorded()

        assert (record.ratio, record.in_flight) == (TO_FLOOR.name, 32)
        assert record.value > 1
        assert record.measured


class TestWarmUp:
    """When a row's cost is believed."""

    @pytest.mark.parametrize(
        ("costs", "still"),
        [([], False), ([5.0], False), ([100.0, 110.0], True), ([110.0, 100.0], True), ([100.0, 111.0], False)],
    )
    def test_ends_when_two_windows_cost_the_same(self, costs: list[float], still: bool) -> None:  # noqa: FBT001
        """Within ten percent of the smaller."""
        assert stands_still(costs) is still

    def test_looks_at_the_last_two_windows(self) -> None:
        """Equal ones before a change prove nothing."""
        assert not stands_still([100.0, 100.0, 50.0])


class TestTreeCpu:
    """Whose time is counted."""

    def test_includes_children_of_children(self) -> None:
        """And no other process."""
        processes = {1: Running(0, 1), 2: Running(1, 10), 3: Running(2, 100), 4: Running(0, 1_000)}

        assert tree_cpu_s(processes, 1) == 111

    def test_is_read_whatever_a_program_is_named(self, tmp_path: Path) -> None:
        """User and system time, its own and that of children that ended, in hundredths of a second on most machines."""
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "stat").write_text("7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 99 0 0\n")
        (tmp_path / "self").mkdir()

        assert running(tmp_path) == {7: Running(parent=3, cpu_s=127 / os.sysconf("SC_CLK_TCK"))}


class TestPeers:
    """Servers in other languages, where their tools are."""

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("node", "Node.js 20 or newer is needed, and node is not on the PATH"),
            ("go", "Go 1.26 or newer is needed, and go is not on the PATH"),
        ],
    )
    def test_are_named_loudly_where_they_cannot_be_built(
        self,
        name: str,
        reason: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A missing row must not look like one that was never meant to be there."""
        monkeypatch.setenv("PATH", str(tmp_path))
        rows = Rows(ExitStack(), upstream="", against=None, go="")
        monkeypatch.setitem(vars(rows), "_healthy", "")

        started, missing = rows.start([name])

        assert (started, missing) == ([], {name: reason})
        assert f"NO ROW {name}: {reason}." in capsys.readouterr().err


class TestCalls:
    """Requests that no other call makes."""

    @pytest.mark.parametrize("name", RPCS)
    def test_are_named_by_new_uuids_of_version_7(self, name: str) -> None:
        """As callers should name them."""
        make: Callable[[], object] = RPCS[name].request
        ids = {UUID(getattr(make(), "request_id", "")) for _ in range(100)}

        assert (len(ids), {found.version for found in ids}, {found.variant for found in ids}) == (
            100,
            {7},
            {"specified in RFC 4122"},
        )

    def test_carry_tokens_that_differ_in_their_transaction_alone(self) -> None:
        """The service refuses a token that was used."""
        first, second = (RPCS[DECRYPT_APPLE_PAY].request().token_json for _ in range(2))

        assert (first != second, len(first)) == (True, len(second))
