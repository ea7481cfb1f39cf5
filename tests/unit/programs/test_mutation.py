from dataclasses import replace
from pathlib import Path

import pytest
from programs.mutation.areas import AREAS, Area
from programs.mutation.journal import Journal
from programs.mutation.mutant import Mutant, Status, Verdict, sample
from programs.mutation.report import Tally, areas_below, table
from programs.mutation.survivors import FILE, entry_for, outdated, survivors_of

ROOT = Path(__file__).parents[3]
MUTANT = Mutant("shop.py", "Shop.pay", "if amount > 0:", 'if amount > "":', 3, 3, "text")
ENTRY = (
    entry_for(MUTANT).replace('kind = ""', 'kind = "harmless"').replace('reason = ""', f'reason = "{"because " * 3}"')
)
MUTATED = {module for area in AREAS for module in area.modules}
AREA = Area("shop", ("shop.py",), ("unit",))


def tally(area: str, *statuses: Status) -> Tally:
    """Return the tally of an area with mutants of some statuses."""
    return Tally(area, [(MUTANT, Verdict(status)) for status in statuses])


class TestRooms:
    """What is mutated."""

    @pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
    def test_name_modules_and_tests_that_exist(self, area: Area) -> None:
        """A renamed module is not left out in silence."""
        absent = [path for path in area.modules if not (ROOT / path).is_file()]
        absent += [test for test in area.tests if not (ROOT / "tests" / test).exists()]

        assert absent == []
        assert area.files_of_tests(ROOT)


class TestSample:
    """Which mutants are tried."""

    MUTANTS = tuple(replace(MUTANT, after=str(number)) for number in range(50))

    def test_is_the_same_for_one_seed(self) -> None:
        """And another one for another seed."""
        assert sample(self.MUTANTS, size=5, seed=1) == sample(self.MUTANTS[::-1], size=5, seed=1)
        assert sample(self.MUTANTS, size=5, seed=1) != sample(self.MUTANTS, size=5, seed=2)

    def test_grows_without_changing(self) -> None:
        """The verdicts on a small sample count for a larger one."""
        assert sample(self.MUTANTS, size=5, seed=1) == sample(self.MUTANTS, size=9, seed=1)[:5]

    def test_stays_when_lines_move(self) -> None:
        """Lines above a function are no part of it."""
        moved = [replace(mutant, first_line=90, last_line=90, text="longer") for mutant in self.MUTANTS]

        assert [mutant.after for mutant in sample(moved, size=5, seed=1)] == [
            mutant.after for mutant in sample(self.MUTANTS, size=5, seed=1)
        ]


class TestSurvivors:
    """The list of those that may survive."""

    def test_in_the_tree_are_complete(self) -> None:
        """Each has a reason, and is of a module that is mutated."""
        assert all(entry.module in MUTATED for entry in survivors_of(FILE.read_text()))

    def test_are_found_by_function_and_lines(self) -> None:
        """Whatever stands in the lines."""
        (survivor,) = survivors_of(ENTRY)

        assert survivor.identity == MUTANT.identity

    @pytest.mark.parametrize(
        "entries",
        [
            entry_for(MUTANT),
            ENTRY.replace("harmless", "unlikely"),
            ENTRY.replace("because because because ", "because"),
            f"{ENTRY}\n{ENTRY}",
        ],
        ids=["nothing filled in", "unknown kind", "hardly a reason", "twice"],
    )
    def test_without_a_reason_are_refused(self, entries: str) -> None:
        """An entry is an argument, not a switch."""
        with pytest.raises(ValueError, match="survivor"):
            survivors_of(entries)

    def test_are_outdated_once_the_code_has_changed(self) -> None:
        """An entry would be kept for ever otherwise."""
        other = replace(MUTANT, before="if amount >= 0:")

        (sentence,) = outdated(survivors_of(ENTRY), [other], [])

        assert sentence.startswith("listed as a survivor, but no mutant of the code as it is: shop.py, Shop.pay")

    def test_are_outdated_once_a_test_kills_them(self) -> None:
        """The entry says that no test has to."""
        (sentence,) = outdated(survivors_of(ENTRY), [MUTANT], [MUTANT])

        assert sentence.startswith("listed as a survivor, but a test kills it")

    def test_stay_when_the_sample_leaves_them_out(self) -> None:
        """They are still mutants of the code."""
        assert list(outdated(survivors_of(ENTRY), [MUTANT], [])) == []


class TestJournal:
    """The verdicts of earlier runs."""

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        """Return the root of a tree with a module, a test and another test."""
        (tmp_path / "tests" / "unit").mkdir(parents=True)
        (tmp_path / "shop.py").write_text("pay")
        (tmp_path / "tests" / "unit" / "test_shop.py").write_text("test")
        (tmp_path / "tests" / "unit" / "test_other.py").write_text("other test")
        return tmp_path

    KILLED = Verdict(Status.KILLED, "tests/unit/test_shop.py::TestShop::test_pays")
    SURVIVED = Verdict(Status.SURVIVED, "3 tests run the line")

    def noted(self, tree: Path, verdict: Verdict) -> None:
        """Write a verdict down, and lose what the program keeps in memory."""
        Journal(tree / "build" / "journal", tree).add(AREA, MUTANT, verdict)

    def read(self, tree: Path) -> Verdict | None:
        """Return what a new run knows."""
        return Journal(tree / "build" / "journal", tree).verdict(AREA, MUTANT)

    @pytest.mark.parametrize("verdict", [KILLED, SURVIVED, Verdict(Status.TIMED_OUT)], ids=lambda known: known.status)
    def test_are_known_to_the_next_run(self, tree: Path, verdict: Verdict) -> None:
        """Nothing is tried twice."""
        self.noted(tree, verdict)

        assert self.read(tree) == verdict

    @pytest.mark.parametrize(
        ("verdict", "changed", "kept"),
        [
            (KILLED, "shop.py", False),
            (KILLED, "tests/unit/test_shop.py", False),
            (KILLED, "tests/unit/test_other.py", True),
            (SURVIVED, "tests/unit/test_shop.py", False),
            (SURVIVED, "tests/unit/test_other.py", False),
        ],
    )
    def test_hold_while_their_reasons_do(self, tree: Path, verdict: Verdict, changed: str, *, kept: bool) -> None:
        """Any new test may kill a survivor; what kills a mutant does so beside any other test."""
        self.noted(tree, verdict)

        (tree / changed).write_text("changed")

        assert (self.read(tree) == verdict) is kept

    @pytest.mark.parametrize(("changed", "kept"), [("tests/unit/test_other.py", False), ("unread.py", True)])
    def test_come_with_what_the_tests_did_without_a_mutant(self, tree: Path, changed: str, *, kept: bool) -> None:
        """For as long as these tests are the same."""
        Journal(tree / "build" / "journal", tree).keep_baseline(AREA, {"cpu_s": {}})

        (tree / changed).write_text("changed")

        assert (Journal(tree / "build" / "journal", tree).baseline(AREA) == {"cpu_s": {}}) is kept

    def test_survive_a_line_that_was_cut_off(self, tree: Path) -> None:
        """The run was ended while it wrote."""
        self.noted(tree, self.KILLED)
        journal = tree / "build" / "journal"

        journal.write_text(journal.read_text() + '{"mutant": "abc')

        assert self.read(tree) == self.KILLED


class TestReport:
    """What a run ends with."""

    def test_has_a_line_for_each_area(self) -> None:
        """And one for all."""
        tallies = [
            tally("claims", *[Status.KILLED] * 8, Status.SURVIVED, Status.TIMED_OUT),
            tally("store", Status.KILLED),
        ]

        assert list(table(tallies)) == [
            "area    mutants  killed  survived  timed out  unjudged  percent",
            "claims       10       8         1          1         0     90.0",
            "store         1       1         0          0         0    100.0",
            "all          11       9         1          1         0     90.9",
        ]

    def test_names_areas_whose_tests_notice_too_little(self) -> None:
        """At the goal, an area is good."""
        good = tally("claims", *[Status.KILLED] * 17, *[Status.SURVIVED] * 3)
        bad = tally("store", *[Status.KILLED] * 16, *[Status.SURVIVED] * 3)

        assert areas_below([good, bad]) == ["store: less than 85% killed"]
