import argparse
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from programs.everything import Counts, Result, Suite, counts_of, main, suite_of, table

SOAK = """\
round  1 of 10, collector healthy     900 calls, p99    6.0 ms,   80.0 MB,       0 spans dropped

collector     calls  failed  p99 / healthy  growth, MB  spans dropped
healthy        9000       0           1.00         1.2              0
down           8000       1           1.10        11.2           4000
"""
CLIENTS = """\
ordinary refusal                            same  differs  same      0 of 0     472       889      1049
ok  \tpayorch.internal/client\t0.008s
                      python          go        java
renamed field             ok       WRONG          ok
"""

ROOT = Path(__file__).parents[3]
PROVES_NOTHING = {
    "help": "lists the targets",
    "setup": "prepares .venv",
    "lock": "resolves versions",
    "generate": "writes what make check compares",
    "format": "writes what make check compares",
    "everything": "runs the others",
    "run": "leaves a service for people",
    "descriptors": "writes what make gateway reads",
    "pictures": "photographs for docs",
    "audit": "asks osv.dev, whose answer changes without a change of this tree",
    "clean": "removes what was built",
}
ONLY_BY_HAND = {
    "check-requests": "make test has fewer of the same requests",
    "mutate": "takes about an hour, and judges the tests",
}
"""Too long for .ci/run."""
CHOICES = ("FAULT", "WORLD", "CLIENT")
"""Variables that choose what is proved; others choose how long."""


def chosen(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a target with what chooses among its proofs."""
    return (words[0], *(word for word in words[1:] if word.startswith(CHOICES)))


def everything() -> list[Suite]:
    """Return what make everything runs."""
    done = subprocess.run(["make", "-n", "everything"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - ours
    words = shlex.split(done.stdout.replace("\\\n", " "))
    return [suite_of(word) for word in words[words.index("programs.everything") + 1 :]]


def ci() -> list[tuple[str, ...]]:
    """Return the calls of make in .ci/run, with a loop's variable replaced by its values."""
    script = (ROOT / ".ci" / "run").read_text()
    loops = re.sub(
        r"for fault in (.*); do (.*?); done",
        lambda loop: "\n".join(loop[2].replace('"$fault"', value) for value in loop[1].split()),
        script,
    )
    calls = re.findall(r"^ *(?:stage|must_fail|make) ([a-z].*)$", loops, re.MULTILINE)
    return [tuple(shlex.split(call, comments=True)) for call in calls]


class TestSuites:
    """No proof is forgotten."""

    def test_are_all_targets_that_prove_something(self) -> None:
        """A new target belongs into make everything, or among those that prove nothing."""
        (listed,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

        assert set(listed.split()) - PROVES_NOTHING.keys() == {suite.words[0] for suite in everything()}

    def test_are_those_of_ci(self) -> None:
        """At another length."""
        wanted = {chosen(suite.words) for suite in everything() if suite.words[0] not in ONLY_BY_HAND}

        assert {chosen(call) for call in ci()} == wanted


class TestCounts:
    """Cases and failures come from the closing lines of the programs."""

    @pytest.mark.parametrize(
        ("text", "counts"),
        [
            ("....\n8836 passed in 195.03s (0:03:15)\n", Counts(8836, 0)),
            ("3 failed, 7783 passed, 2 skipped, 1 warning in 53.93s\n", Counts(7786, 3)),
            ("1 failed, 2 errors in 0.10s\n", Counts(3, 3)),
            ("=== 5 passed, 1 xfailed in 1.20s ===\n", Counts(6, 0)),
            ("2 passed in 1.00s\n3 passed in 1.00s\n", Counts(5, 0)),
            ("100003 calls in 210 runs\nseeds 1 to 210, violations: 0\n", Counts(100_003, 0)),
            ("VIOLATION of 1 once: twice\n90 calls in 2 runs\nTOO RARE: wire/late\n", Counts(90, 2)),
            ("2086 calls, 7 errors, 2 lost; slowest restart 98% of steady\n", Counts(2086, 2)),
            ("  50012 calls, 41 errors, 0 lost; 50012 executed once each\n", Counts(50_012, 0)),
            ("900 payments, 950 sends, 880 approved, 0 answers that mean Error, 900 effects\n", Counts(900, 0)),
            ("15 scenarios installed and removed, 1 released charts upgraded\n", Counts(15, 0)),
            ("40 of 44 cases were asked of a sandbox; 2 differ from the emulator.\n", Counts(40, 0)),
            ("60 cases by 7 languages, 1 failures\n", Counts(60, 1)),
            ("  3 calls, 1 token, 1 payment\n", Counts(3, 0)),
            ("6 orders, 0 wrong; 4 payments in the ledger, none of them twice\n", Counts(6, 0)),
            ("21 attacks, 2 failed\n", Counts(21, 2)),
            ("240 mutants in 13 areas, 3 failures\n", Counts(240, 3)),
            ("952037 executions of 7 targets, 3 findings\n", Counts(952_037, 3)),
            ("2871 calls under 60 faults, 3 broken rules; seed 7\n", Counts(2871, 3)),
            (SOAK, Counts(17_000, 1)),
            (CLIENTS, Counts(6, 2)),
            ("Two builds are equal: sha256:1\nThe images are good.\n", None),
            ("", None),
        ],
    )
    def test_are_read(self, text: str, counts: Counts | None) -> None:
        """Of pytest, of each program that has cases, and of nothing else."""
        assert counts == counts_of(text.splitlines(keepends=True))


class TestSuite:
    """An argument is a call of make."""

    def test_is_a_target_with_its_variables(self) -> None:
        """In one argument."""
        assert Suite(("rolling", "CLIENT=plain")) == suite_of("rolling CLIENT=plain")

    def test_may_have_to_fail(self) -> None:
        """The mark is no part of the target, and the table names it."""
        suite = suite_of("!demo FAULT=token:401")

        assert (suite.words, suite.name) == (("demo", "FAULT=token:401"), "demo FAULT=token:401 (must fail)")

    @pytest.mark.parametrize("text", ["", "!", " "])
    def test_names_a_target(self, text: str) -> None:
        """Without one, make would run its default target."""
        with pytest.raises(argparse.ArgumentTypeError, match="names no target"):
            suite_of(text)


class TestTable:
    """One table, whatever failed."""

    def test_has_a_line_for_each_suite(self) -> None:
        """Cases and failures where they are known, a dash where there are none, `failed` where only make failed."""
        results = [
            Result(Suite(("test",)), Counts(8836, 2), succeeded=False, seconds=180.0),
            Result(Suite(("bench",)), None, succeeded=True, seconds=61.0),
            Result(Suite(("image",)), None, succeeded=False, seconds=3.0),
            Result(Suite(("rolling",)), Counts(2086, 0), succeeded=False, seconds=30.0),
        ]

        assert [
            "suite               cases  failures  minutes",
            "test                 8836         2      3.0",
            "bench                   -         -      1.0",
            "image                   -    failed      0.1",
            "rolling              2086    failed      0.5",
            "4 suites, 3 failed  10922                4.6",
        ] == list(table(results))


class TestProgram:
    """What `make everything` runs."""

    @pytest.fixture(autouse=True)
    def _fake_make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A make that knows two targets."""
        make = tmp_path / "make"
        make.write_text('#!/bin/sh\n[ "$1" = good ] && echo "3 passed in 0.10s" || { echo "no $2" >&2; exit 2; }\n')
        make.chmod(0o700)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def test_continues_after_a_failure_and_then_fails(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The output passes through, the table comes last, and the status says that something failed."""
        assert 1 == main(["bad FAULT=x", "good"])

        shown = capfd.readouterr().out
        assert shown.startswith("=== 1 of 2: make bad FAULT=x\nno FAULT=x\n=== 2 of 2: make good\n3 passed in 0.10s\n")
        assert shown.splitlines()[-1].startswith("2 suites, 1 failed")

    def test_succeeds_if_every_suite_ends_as_it_has_to(self) -> None:
        """A suite that has to fail does."""
        assert 0 == main(["good", "!bad"])

    def test_fails_if_a_suite_succeeds_that_has_to_fail(self) -> None:
        """A demonstration that cannot fail shows nothing."""
        assert 1 == main(["!good"])
