"""Changes the code that decides about money in small ways, and counts how many changes the tests notice."""

import argparse
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from programs.mutation import forked
from programs.mutation.areas import AREAS, Area
from programs.mutation.generation import mutants_of
from programs.mutation.journal import Journal
from programs.mutation.mutant import Mutant, Status, sample
from programs.mutation.report import Tally, areas_below, table, unjudged
from programs.mutation.survivors import FILE, Survivor, entry_for, outdated, survivors_of
from programs.mutation.trial import Baseline, BaselineFailedError, baseline, baseline_of, verdict

_ROOT: Final = Path(__file__).parents[3]
_JOURNAL: Final = _ROOT / "build" / "mutate" / "journal.jsonl"
_INTERVAL_S: Final = 10.0
_NICENESS: Final = 19


def main() -> int:
    """Run; return 0, or 1 if an area is below the goal, a mutant is not judged or the list of survivors is wrong."""
    parser = argparse.ArgumentParser(prog="python -m programs.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=10, help="mutants of each module (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which of the mutants are tried")
    parser.add_argument("--only", nargs="+", choices=[area.name for area in AREAS], help="areas; all unless given")
    options = parser.parse_args()
    survivors = survivors_of(FILE.read_text())
    areas = [area for area in AREAS if not options.only or area.name in options.only]
    os.nice(_NICENESS)
    # So that a mutant that is being tried ends with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    forked.preload()
    run = _Run(Journal(_JOURNAL, _ROOT), size=options.sample, seed=options.seed)
    try:
        tallies = [run.tally(area) for area in areas]
    except BaselineFailedError as error:
        print(error, file=sys.stderr)
        return 1
    return _conclude(tallies, run.possible, survivors)


def _conclude(tallies: Sequence[Tally], possible: Sequence[Mutant], survivors: Sequence[Survivor]) -> int:
    listed = {survivor.identity for survivor in survivors}
    modules = {mutant.module for mutant in possible}
    unlisted = {
        mutant.identity: mutant
        for tally in tallies
        for mutant in tally.of(Status.SURVIVED)
        if mutant.identity not in listed
    }
    survived = {mutant.identity for tally in tallies for mutant in tally.of(Status.SURVIVED)}
    killed = [mutant for tally in tallies for mutant in tally.of(Status.KILLED) if mutant.identity not in survived]
    old = list(outdated([entry for entry in survivors if entry.module in modules], possible, killed))
    for mutant in unlisted.values():
        print(f"\nSURVIVED without a reason, line {mutant.first_line}\n{entry_for(mutant)}")
    problems = [*areas_below(tallies), *unjudged(tallies), *old]
    print("\n".join(("", *table(tallies), *problems)))
    failures = len(problems) + len(unlisted)
    print(f"{sum(len(tally.found) for tally in tallies)} mutants in {len(tallies)} areas, {failures} failures")
    return 1 if failures else 0


class _Run:
    """Tries the mutants of the areas, one after the other."""

    def __init__(self, journal: Journal, *, size: int, seed: int) -> None:
        self.possible: list[Mutant] = []
        """All mutants of the areas so far, also those that the sample leaves out."""
        self._journal = journal
        self._size = size
        self._seed = seed
        self._begun_s = self._shown_s = time.monotonic()  # noqa: TID251 - of a real process
        self._state = ""

    def tally(self, area: Area) -> Tally:
        """Try a sample of the mutants of each module of an area."""
        self._state = f"{area.name}: making mutants"
        chosen: list[Mutant] = []
        for module in area.modules:
            mutants = mutants_of(_ROOT, module)
            self.possible += mutants
            chosen += sample(mutants, size=self._size, seed=self._seed)
        tally, measured = Tally(area.name), None
        for number, mutant in enumerate(chosen):
            found = self._journal.verdict(area, mutant)
            if not found:
                if measured is None:
                    measured = self._baseline(area)
                self._state = f"{area.name}: {number} of {len(chosen)}, {len(tally.of(Status.SURVIVED))} survived"
                found = verdict(mutant, measured, self._show)
                if found.status is not Status.UNJUDGED:
                    self._journal.add(area, mutant, found)
                if found.status is Status.SURVIVED:
                    print(f"  survived: {' | '.join(mutant.identity)}; {found.by}", flush=True)
            tally.found.append((mutant, found))
        print(f"{area.name}: {len(chosen)} mutants, {100 * tally.share:.1f} % killed", flush=True)
        return tally

    def _baseline(self, area: Area) -> Baseline:
        kept = self._journal.baseline(area)
        if kept:
            return baseline_of(kept)
        self._state = f"{area.name}: running its tests without a mutant"
        found = baseline(area, self._show)
        self._journal.keep_baseline(area, dataclasses.asdict(found))
        return found

    def _show(self) -> None:
        """Print the progress every ten seconds."""
        now_s = time.monotonic()  # noqa: TID251 - as above
        if now_s - self._shown_s >= _INTERVAL_S:
            self._shown_s = now_s
            print(f"  {now_s - self._begun_s:4.0f} s  {self._state}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
