"""Fuzzes every parser of what others write, two targets at a time, and ends with a table."""

import argparse
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from fuzz.all_targets import CORPUS, names

from programs.fuzz.findings import inputs_in, replay_command
from programs.fuzz.replay import FOUND

_BUILD: Final = Path("build/fuzz-runs")
_FINDINGS: Final = Path("build/fuzz/findings")
_AT_ONCE: Final = 2
_MOST_RESTARTS: Final = 3
_LEAST_S: Final = 5
_PROGRESS_S: Final = 10.0
_BATCH: Final = 500
_TITLES: Final = ("target", "executions", "exec/s", "edges", "corpus", "findings")
_EDGES: Final = re.compile(r"#(?P<executions>\d+)\s.*cov: (?P<edges>\d+) .*corp: (?P<corpus>\d+)/")
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s+(?P<executions>\d+)")


@dataclass(slots=True)
class Run:
    """How far the fuzzing of one target is."""

    target: str
    executions: int = 0
    """Of the processes that have ended."""
    running: int = 0
    """Executions of the process that runs."""
    edges: int = 0
    corpus: int = 0
    seconds: float = 0.0
    failed: str = ""
    """Why no figures can be had; empty if they can."""

    @property
    def total(self) -> int:
        """All executions."""
        return self.executions + self.running

    @property
    def findings(self) -> list[Path]:
        """The inputs that were written down."""
        return inputs_in(_FINDINGS / self.target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0, or 1 if there is a finding or a target could not run."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="of all targets together; two run at a time")
    parser.add_argument("--only", choices=names(), nargs="+", help="targets; all unless given")
    parser.add_argument("--at-once", type=int, default=_AT_ONCE, help="how many processes")
    chosen = parser.parse_args(arguments)
    runs = [Run(name) for name in chosen.only or names()]
    each_s = max(chosen.seconds // len(runs), _LEAST_S)
    for run in runs:
        shutil.rmtree(_FINDINGS / run.target, ignore_errors=True)
    ended = threading.Event()
    reporter = threading.Thread(target=_report, args=(runs, ended), daemon=True)
    reporter.start()
    try:
        with ThreadPoolExecutor(chosen.at_once) as pool:
            list(pool.map(lambda run: _fuzz(run, each_s), runs))
    finally:
        ended.set()
    reporter.join()
    print("\n".join(("", *table(runs))))
    for run in runs:
        for file in run.findings:
            print(f"FOUND {file}: {replay_command(run.target, file)}")
    found = sum(len(run.findings) + bool(run.failed) for run in runs)
    print(f"{sum(run.total for run in runs)} executions of {len(runs)} targets, {found} findings")
    return 1 if found else 0


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Yield the lines of the table: a title, and one line for each target."""
    rows = [_TITLES, *(_row(run) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *cells))


def _row(run: Run) -> tuple[str, ...]:
    speed = run.total / run.seconds if run.seconds else 0.0
    found = run.failed or str(len(run.findings))
    return run.target, str(run.total), f"{speed:.0f}", str(run.edges), str(run.corpus), found


def _fuzz(run: Run, seconds: int) -> None:
    """Fuzz one target for so many seconds; start again after a finding that ends the process."""
    begun_s = perf_counter()
    folder, findings = _BUILD / run.target, _FINDINGS / run.target
    for _ in range(_MOST_RESTARTS):
        left_s = round(seconds - (perf_counter() - begun_s))
        if left_s <= 0:
            break
        known = set(run.findings)
        status, lines = _run_worker(run, left_s, folder, findings)
        if status and not set(run.findings) - known:
            run.failed = f"ended with {status}"
            print(f"{run.target}:\n{''.join(lines[-30:])}", file=sys.stderr, flush=True)
            break
    run.seconds = perf_counter() - begun_s
    _after(run, folder, findings)


def _run_worker(run: Run, seconds: int, folder: Path, findings: Path) -> tuple[int, list[str]]:
    command = [
        *(sys.executable, "-m", "programs.fuzz.worker", run.target, "--seconds", str(seconds)),
        *("--folder", str(folder), "--findings", str(findings), "--kept", str(CORPUS / run.target)),
    ]
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if found := _EDGES.match(line):
                run.running, run.edges, run.corpus = (int(found[name]) for name in ("executions", "edges", "corpus"))
            elif found := _EXECUTED.match(line):
                run.running = int(found["executions"])
            elif line.startswith("FINDING"):
                print(f"{run.target}: {line.rstrip()}", flush=True)
    run.executions, run.running = run.total, 0
    return process.returncode, lines


def _after(run: Run, folder: Path, findings: Path) -> None:
    """Weigh the inputs that were worth keeping, and make those of findings smaller."""
    corpus = sorted((folder / "corpus").glob("*"))
    for first in range(0, len(corpus), _BATCH):
        _replay(run, corpus[first : first + _BATCH], "--weigh", str(findings))
    if found := [file for file in run.findings if file.name.startswith(("crash-", "leak-", "promise-"))]:
        _replay(run, found, "--minimise")


def _replay(run: Run, files: Sequence[Path], *options: str) -> None:
    command = [sys.executable, "-m", "programs.fuzz.replay", run.target, *map(str, files), *options]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")  # noqa: S603 - the same
    if ended.returncode not in {0, FOUND}:
        run.failed = f"replay ended with {ended.returncode}"
        print(f"{run.target}:\n{ended.stderr}", file=sys.stderr, flush=True)


def _report(runs: Sequence[Run], ended: threading.Event) -> None:
    begun_s = perf_counter()
    while not ended.wait(_PROGRESS_S):
        running = ", ".join(f"{run.target} {run.running}" for run in runs if run.running)
        print(
            f"  {perf_counter() - begun_s:4.0f} s  {sum(run.total for run in runs)} executions; {running}", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
