import os
import signal
import time
from pathlib import Path

import pytest
from programs.mutation import trial
from programs.mutation.areas import Area
from programs.mutation.forked import EndedFromOutsideError, Limits, OutOfTimeError, run
from programs.mutation.generation import mutants_of
from programs.mutation.mutant import Mutant, Status, Verdict
from programs.mutation.report import Tally, areas_below, unjudged

FEES = """\
LIMIT = 100


def fee(amount):
    if amount > LIMIT:
        return 1
    return 2


def unused():
    return 3
"""
TESTS = """\
from mutated_fees import fee


def test_large_amounts_cost_less():
    assert fee(101) == 1


def test_others_cost_more():
    assert fee(100) == 2
"""
pytestmark = pytest.mark.timeout(120)
LIMITS = Limits(cpu_s=10, wall_s=60)
AREA = Area("fees", ("mutated_fees.py",), ("unit/test_fees.py",))


KILLED = """\
import os
import signal
from pathlib import Path

from mutated_fees import fee


def test_large_amounts_cost_less():
    ends = Path("ends")
    if fee(101) != 1 and ends.read_text():
        ends.write_text(ends.read_text()[1:])
        os.kill(os.getpid(), signal.SIGKILL)
    assert fee(101) == 1
"""
"""Ends as often as the file has characters, once there is a mutant."""


def wait() -> None:
    """Show nothing."""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a tree with one module and its tests."""
    (tmp_path / "mutated_fees.py").write_text(FEES)
    tests = tmp_path / "tests" / "unit"
    tests.mkdir(parents=True)
    (tests / "test_fees.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npythonpath = .\naddopts = -p no:schemathesis -p no:zuora_emulator\n"
    )
    monkeypatch.setattr(trial, "_ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


UNLIMITED = """\
from mutated_fees import fee


def test_large_amounts_cost_less(pytestconfig):
    assert (fee(101), pytestconfig.getoption("timeout")) == (1, 0)
"""


class TestMutant:
    """What the tests say of it."""

    @pytest.mark.parametrize(
        ("after", "status"),
        [
            ("if amount >= LIMIT:", Status.KILLED),
            ("LIMIT = 101", Status.KILLED),
            ("return None", Status.KILLED),
            ("return 4", Status.SURVIVED),
        ],
    )
    def test_is_killed_by_a_test_that_fails(self, tree: Path, after: str, status: Status) -> None:
        """In a function or in a table; a line that no test runs survives."""
        measured = trial.baseline(AREA, wait)
        (mutant, *_) = (found for found in mutants_of(tree, "mutated_fees.py") if found.after == after)

        assert trial.verdict(mutant, measured, wait).status is status

    def test_is_not_killed_by_tests_that_are_gone(self, tree: Path) -> None:
        """A mutant can take away the cases of a test: then none fails."""
        (tree / "mutated_fees.py").write_text("LIMITS = (100,)\n")
        (tree / "tests" / "unit" / "test_fees.py").write_text(
            "import pytest\nfrom mutated_fees import LIMITS\n\n\n"
            '@pytest.mark.parametrize("limit", LIMITS)\ndef test_is_positive(limit):\n    assert limit > 0\n'
        )
        measured = trial.baseline(AREA, wait)
        (mutant,) = (found for found in mutants_of(tree, "mutated_fees.py") if found.after == "LIMITS = (101,)")

        assert trial.verdict(mutant, measured, wait).status is Status.SURVIVED

    def test_is_judged_by_the_tests_that_run_its_lines(self, tree: Path) -> None:
        """And by all tests, if its line runs while modules are imported."""
        measured = trial.baseline(AREA, wait)
        mutants = {mutant.after: mutant for mutant in mutants_of(tree, "mutated_fees.py")}

        assert [test.rpartition("::")[2] for test in measured.tests_for(mutants["return 3"])] == [
            "test_others_cost_more"
        ]
        assert len(measured.tests_for(mutants["LIMIT = 101"])) == 2

    def test_is_judged_first_where_its_module_is_used(self, tree: Path) -> None:
        """Another file may have more tests, and not even import it."""
        others = "\n".join(f"def test_{number}():\n    assert True\n" for number in range(5))
        (tree / "tests" / "unit" / "test_others.py").write_text(others)
        measured = trial.baseline(Area("fees", AREA.modules, ("unit",)), wait)
        (mutant,) = (found for found in mutants_of(tree, "mutated_fees.py") if found.after == "LIMIT = 101")

        assert len(measured.tests_for(mutant)) == 7
        assert trial.verdict(mutant, measured, wait).by.endswith("test_fees.py::test_large_amounts_cost_less")

    @pytest.mark.parametrize(("ends", "status"), [(1, Status.KILLED), (2, Status.UNJUDGED)])
    def test_is_tried_once_more_if_its_tests_are_ended_from_outside(
        self, tree: Path, ends: int, status: Status
    ) -> None:
        """As by the OOM killer; a second end leaves open whether a test would fail."""
        (tree / "tests" / "unit" / "test_fees.py").write_text(KILLED)
        (tree / "ends").write_text("x" * ends)
        measured = trial.baseline(AREA, wait)
        (mutant,) = (found for found in mutants_of(tree, "mutated_fees.py") if found.after == "LIMIT = 101")

        found = trial.verdict(mutant, measured, wait)

        assert found.status is status
        assert found.by.endswith(
            "::test_large_amounts_cost_less" if status is Status.KILLED else "SIGKILL from outside, twice"
        )

    def test_is_not_counted_as_killed_while_it_is_unjudged(self) -> None:
        """It is reported, so that the run does not pass."""
        mutant = Mutant("fees.py", "fee", "return 1", "return 2", 1, 1, "")
        tally = Tally("fees", [(mutant, Verdict(Status.UNJUDGED, "SIGKILL from outside, twice"))])

        assert areas_below([tally]) == ["fees: less than 85% killed"]
        assert unjudged([tally]) == [
            "fees: unjudged, SIGKILL from outside, twice, run again: fees.py | fee | return 1 | return 2"
        ]

    def test_is_not_judged_by_tests_that_fail_without_it(self, tree: Path) -> None:
        """Every mutant would be killed."""
        (tree / "tests" / "unit" / "test_fees.py").write_text(TESTS.replace("== 1", "== 5"))

        with pytest.raises(trial.BaselineFailedError, match=r"fees: .*test_large_amounts_cost_less without any mutant"):
            trial.baseline(AREA, wait)

    def test_is_not_judged_by_the_wall_clock_of_a_test(self, tree: Path) -> None:
        """On a busy machine the limit of the suite would end tests that notice nothing."""
        with (tree / "pytest.ini").open("a") as file:
            file.write("timeout = 20\n")
        (tree / "tests" / "unit" / "test_fees.py").write_text(UNLIMITED)

        assert trial.baseline(AREA, wait).cpu_s


class TestProcess:
    """A task runs apart from the program that waits for it."""

    def test_returns_what_its_task_returns(self) -> None:
        """From another process."""
        assert run(os.getpid, LIMITS, wait) != os.getpid()

    def test_ends_when_its_cpu_time_is_used_up(self) -> None:
        """As a mutant whose loop never ends."""
        with pytest.raises(OutOfTimeError):
            run(lambda: [None for _ in iter(int, 1)], Limits(cpu_s=1, wall_s=60), wait)

    def test_ends_when_the_time_is_up(self) -> None:
        """As a mutant that waits for what never comes."""
        with pytest.raises(OutOfTimeError):
            run(lambda: time.sleep(60), Limits(cpu_s=10, wall_s=0), wait)

    def test_is_not_judged_by_a_signal_from_outside(self) -> None:
        """Its task does not cause one."""
        with pytest.raises(EndedFromOutsideError, match="SIGTERM"):
            run(lambda: os.kill(os.getpid(), signal.SIGTERM), LIMITS, wait)

    def test_reports_an_exception(self) -> None:
        """It is a defect of the program, not of the mutant."""
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            run(lambda: 1 // 0, LIMITS, wait)
