"""Runs tests on the tree, or on a mutant of one of its modules."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, Final

import coverage
import pytest
from hypothesis import HealthCheck, Phase, settings

from programs.mutation.areas import Area
from programs.mutation.forked import EndedFromOutsideError, Limits, OutOfTimeError, run
from programs.mutation.mutant import Mutant, Status, Verdict

_ROOT: Final = Path(__file__).parents[3]
_IMPORTED: Final = ""
"""The context in which coverage counts lines that ran outside of tests."""
_OPTIONS: Final = (
    *("-p", "no:cacheprovider", "-p", "no:randomly", "-W", "ignore:Module already imported"),
    # A wall-clock limit would count mutants as killed where the machine is busy; each process has a limit of CPU time.
    "--timeout=0",
)
_WHOLE_AREA: Final = Limits(cpu_s=900, wall_s=3600.0)
_CPU_FACTOR: Final = 5


class BaselineFailedError(Exception):
    """The tests of an area fail on the tree as it is, so that they cannot judge mutants."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the tests of an area do on the tree as it is."""

    cpu_s: dict[str, float]
    """Seconds of each test, by its id."""
    tests_of_line: dict[str, dict[int, list[str]]]
    """Of each module: which tests run a line; a line that runs while modules are imported has the empty id too."""

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Return the ids of the tests that can notice a mutant, the fastest first.

        A line that runs while modules are imported can decide about any test.
        """
        by_line = self.tests_of_line[mutant.module]
        lines = range(mutant.first_line, mutant.last_line + 1)
        tests = {test for line in lines for test in by_line.get(line, ())}
        if _IMPORTED in tests:
            tests = set(self.cpu_s)
        return sorted(tests, key=lambda test: (self.cpu_s.get(test, 0.0), test))

    def uses(self, module: str, tests: Iterable[str]) -> int:
        """Return how many of some tests run any line of a module."""
        using = {test for of_line in self.tests_of_line[module].values() for test in of_line}
        return sum(test in using for test in tests)


def baseline(area: Area, waiting: Callable[[], None]) -> Baseline:
    """Run all tests of an area once, and record which lines each of them runs.

    Raises:
        BaselineFailedError: A test failed, or the tests were ended from outside twice.
    """
    files = area.files_of_tests(_ROOT)
    try:
        found = _run_twice_if_ended(lambda: _measure(area.modules, files), _WHOLE_AREA, waiting)
    except EndedFromOutsideError as error:
        raise BaselineFailedError(f"{area.name}: {error} from outside ended the tests, twice") from error
    if "failed" in found:
        raise BaselineFailedError(f"{area.name}: {found['failed']} without any mutant")
    return baseline_of(found)


def baseline_of(content: dict[str, Any]) -> Baseline:
    """Return a baseline that was written as JSON, which has no numbers as keys."""
    lines = {
        module: {int(line): tests for line, tests in by_line.items()}
        for module, by_line in content["tests_of_line"].items()
    }
    return Baseline(content["cpu_s"], lines)


def _measure(modules: Collection[str], files: list[str]) -> dict[str, Any]:
    measured = coverage.Coverage(
        data_file=None, config_file=False, include=[str(_ROOT / module) for module in modules], messages=False
    )
    watch = _Contexts(measured)
    measured.start()
    status = pytest.main([*_OPTIONS, *files], plugins=[watch])
    measured.stop()
    if status:
        return {"failed": watch.failed or f"pytest ended with {status}"}
    data = measured.get_data()
    return {
        "cpu_s": watch.cpu_s,
        "tests_of_line": {module: data.contexts_by_lineno(str(_ROOT / module)) for module in modules},
    }


def verdict(mutant: Mutant, measured: Baseline, waiting: Callable[[], None]) -> Verdict:
    """Run the tests that can notice a mutant until one does.

    The file with the most tests that use the module comes first: mostly it is enough, and nothing else is imported.
    """
    tests = measured.tests_for(mutant)
    if not tests:
        return Verdict(Status.SURVIVED, "no test runs the line")
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_file[test.partition("::")[0]].append(test)
    nearest = max(by_file, key=lambda file: (measured.uses(mutant.module, by_file[file]), file))
    rest = [file for file in by_file if file != nearest]
    for files in filter(None, ([nearest], rest)):
        chosen = [test for file in files for test in by_file[file]]
        found = _run_tests(mutant, files, chosen, measured, waiting)
        if found.status is not Status.SURVIVED:
            return found
    return Verdict(Status.SURVIVED, f"{len(tests)} tests run the line")


def _run_tests(
    mutant: Mutant, files: list[str], chosen: list[str], measured: Baseline, waiting: Callable[[], None]
) -> Verdict:
    usual_s = sum(measured.cpu_s.get(test, 0.0) for test in chosen)
    limits = Limits(cpu_s=20 + int(_CPU_FACTOR * usual_s), wall_s=120 + 20 * usual_s)
    try:
        found = _run_twice_if_ended(lambda: _try(mutant, files, chosen), limits, waiting)
    except OutOfTimeError:
        return Verdict(Status.TIMED_OUT)
    except EndedFromOutsideError as error:
        return Verdict(Status.UNJUDGED, f"{error} from outside, twice")
    if "signal" in found:
        return Verdict(Status.KILLED, f"signal {found['signal']}")
    return Verdict(Status.KILLED, found["by"]) if found["by"] else Verdict(Status.SURVIVED)


def _run_twice_if_ended(task: Callable[[], Any], limits: Limits, waiting: Callable[[], None]) -> Any:
    try:
        return run(task, limits, waiting)
    except EndedFromOutsideError:
        return run(task, limits, waiting)


def _try(mutant: Mutant, files: list[str], chosen: list[str]) -> dict[str, str]:
    """Run tests on a mutant, in a process that has not imported the module yet."""
    path, loaded = str(_ROOT / mutant.module), []
    code_of = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, name: str) -> Any:
        if loader.path != path:
            return code_of(loader, name)
        loaded.append(name)
        return compile(mutant.text, path, "exec", dont_inherit=True)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign] # in a process that ends with these tests
    # The first example that fails is enough: to shrink it takes longer than all else.
    settings.register_profile(
        "unshrunk",
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow,),
    )
    watch = _Chosen(chosen)
    status = pytest.main(["-x", "--hypothesis-profile=unshrunk", *_OPTIONS, *files], plugins=[watch])
    # Files that do not import the module say nothing of it, nor do tests whose cases the mutant has taken away.
    if status in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} or not loaded:
        return {"by": ""}
    return {"by": watch.failed or f"pytest: {pytest.ExitCode(status).name}"}


class _FirstFailure:
    """Remembers which test, or file of tests, failed first."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


class _Contexts(_FirstFailure):
    """Separates what coverage counts by test, and measures each test."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.cpu_s: dict[str, float] = {}
        self._measured = measured

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before_s = os.times().user
        self._measured.switch_context(item.nodeid)
        yield
        self._measured.switch_context(_IMPORTED)
        self.cpu_s[item.nodeid] = os.times().user - before_s


class _Chosen(_FirstFailure):
    """Leaves only some tests, in their order."""

    def __init__(self, chosen: list[str]) -> None:
        self._place = {test: place for place, test in enumerate(chosen)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(kept, key=lambda item: self._place[item.nodeid])
