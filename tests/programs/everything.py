"""Runs targets of make one after the other, also after one that fails, and ends with one table of their results."""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

_TITLES: Final = ("suite", "cases", "failures", "minutes")
_ABSENT: Final = "-"
_FAILED: Final = "failed"
_PYTEST: Final = re.compile(r"(?:=+ )?(?P<counts>\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s\b.*")
_PYTEST_CASES: Final = frozenset({"passed", "failed", "error", "errors", "xfailed", "xpassed"})
_PYTEST_FAILURES: Final = frozenset({"failed", "error", "errors"})
_CLIENTS: Final = re.compile(r"\S.*? {2,}(?P<cells>(?:(?:same|differs|ok|WRONG) *)+)(?: \d+ of \d+(?: +\d+)*)?")
_CLIENTS_FAILURES: Final = frozenset({"differs", "WRONG"})
_NUMBERS: Final = (
    re.compile(r"(?P<cases>\d+) calls in \d+ runs"),  # make simulate
    re.compile(r" *(?P<cases>\d+) calls, \d+ errors, (?P<failures>\d+) lost;.*"),  # make rolling, cluster NODE=1
    re.compile(r"(?P<cases>\d+) payments, \d+ sends, .*"),  # make rolling CLIENT=zuora
    re.compile(r"(?P<cases>\d+) cases by \d+ languages, (?P<failures>\d+) failures"),  # make clients
    re.compile(r"(?P<cases>\d+) scenarios installed and removed, .*"),  # make cluster
    re.compile(r"(?P<cases>\d+) of \d+ cases were asked of .*"),  # make parity
    re.compile(r"(?P<cases>\d+) attacks, (?P<failures>\d+) failed"),  # make hostile
    re.compile(r"(?P<cases>\d+) mutants in \d+ areas, (?P<failures>\d+) failures"),  # make mutate
    re.compile(r"(?P<cases>\d+) executions of \d+ targets, (?P<failures>\d+) findings"),  # make fuzz
    re.compile(r"(?P<cases>\d+) calls under \d+ faults, (?P<failures>\d+) broken rules;.*"),  # make chaos
    re.compile(r"(?P<cases>\d+) orders, (?P<failures>\d+) wrong;.*"),  # make example
    re.compile(r" +(?P<cases>\d+) calls, \d+ token, \d+ payment"),  # make demo
    re.compile(r"(?:healthy|down|slow|refusing) +(?P<cases>\d+) +(?P<failures>\d+) +[\d.]+ +[\d.]+ +\d+"),  # make soak
)
_FINDING: Final = re.compile(r"(?:VIOLATION of|TOO RARE:) .*")  # make simulate


@dataclass(frozen=True, slots=True)
class Suite:
    """A call of make."""

    words: tuple[str, ...]
    """The target, and variables such as `FAULT=token:401`."""
    must_fail: bool = False

    @property
    def name(self) -> str:
        """The words, and whether a failure is right."""
        return " ".join(self.words) + (" (must fail)" if self.must_fail else "")


@dataclass(frozen=True, slots=True)
class Counts:
    """What the output of a suite says of its cases."""

    cases: int
    failures: int


@dataclass(frozen=True, slots=True)
class Result:
    """A suite that ended."""

    suite: Suite
    counts: Counts | None
    """None: the program has no cases."""
    succeeded: bool
    """Whether make ended as it has to."""
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0, or 1 if any suite failed."""
    parser = argparse.ArgumentParser(prog="python -m programs.everything", description=__doc__)
    parser.add_argument(
        "suites",
        nargs="+",
        type=suite_of,
        metavar="SUITE",
        help="a target of make with its variables in one argument; a target that has to fail begins with a !",
    )
    suites: list[Suite] = parser.parse_args(arguments).suites
    results = []
    for number, suite in enumerate(suites, start=1):
        print(f"=== {number} of {len(suites)}: make {suite.name}", flush=True)
        results.append(_run(suite))
    print("\n".join(("", *table(results))), flush=True)
    return 0 if all(result.succeeded for result in results) else 1


def suite_of(text: str) -> Suite:
    """Return the suite of an argument: `chart`, `rolling CLIENT=plain` or `!demo FAULT=token:401`."""
    words = tuple(text.removeprefix("!").split())
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} names no target")
    return Suite(words, must_fail=text.startswith("!"))


def _run(suite: Suite) -> Result:
    started_s = perf_counter()
    lines: list[str] = []
    command = ["make", *suite.words]
    with subprocess.Popen(  # noqa: S603 - targets of our own Makefile
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return Result(
        suite,
        # The calls of a demonstration that has to fail are no cases.
        None if suite.must_fail else counts_of(lines),
        succeeded=(process.returncode != 0) is suite.must_fail,
        seconds=perf_counter() - started_s,
    )


def counts_of(lines: Iterable[str]) -> Counts | None:
    """Add up what the closing lines among the lines of a suite count; None if there is no such line."""
    found = [counts for line in lines for counts in _counts_in(line.rstrip())]
    if not found:
        return None
    return Counts(sum(counts.cases for counts in found), sum(counts.failures for counts in found))


def _counts_in(line: str) -> Iterator[Counts]:
    if match := _PYTEST.fullmatch(line):
        pairs = [pair.split() for pair in match["counts"].split(", ")]
        yield Counts(
            sum(int(number) for number, kind in pairs if kind in _PYTEST_CASES),
            sum(int(number) for number, kind in pairs if kind in _PYTEST_FAILURES),
        )
    elif match := _CLIENTS.fullmatch(line):
        cells = match["cells"].split()
        yield Counts(len(cells), sum(cell in _CLIENTS_FAILURES for cell in cells))
    elif _FINDING.fullmatch(line):
        yield Counts(0, 1)
    else:
        for match in filter(None, (pattern.fullmatch(line) for pattern in _NUMBERS)):
            yield Counts(int(match["cases"]), int(match.groupdict().get("failures") or 0))


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of the table: a title, one line for each suite and one for the total.

    Without cases a suite has a dash; its failures are `failed` where make failed and no case did.
    """
    rows = [_TITLES, *(_row(result) for result in results), _total(results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *cells))


def _row(result: Result) -> tuple[str, str, str, str]:
    cases = str(result.counts.cases) if result.counts else _ABSENT
    failures = str(result.counts.failures) if result.counts else _ABSENT
    if not result.succeeded and not (result.counts and result.counts.failures):
        failures = _FAILED
    return result.suite.name, cases, failures, _minutes(result.seconds)


def _total(results: Sequence[Result]) -> tuple[str, str, str, str]:
    cases = sum(result.counts.cases for result in results if result.counts)
    failed = sum(not result.succeeded for result in results)
    return (
        f"{len(results)} suites, {failed} failed",
        str(cases),
        "",
        _minutes(sum(result.seconds for result in results)),
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


if __name__ == "__main__":
    sys.exit(main())
