"""The end of a run: a table of the areas, and a sentence for each that is below the goal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from programs.mutation.mutant import Mutant, Status, Verdict

GOAL: Final = 0.85
"""The share of mutants that the tests of an area must notice; those with a reason to survive count as not noticed."""
_TITLES: Final = ("area", "mutants", "killed", "survived", "timed out", "unjudged", "percent")


@dataclass(slots=True)
class Tally:
    """The verdicts on the mutants of an area."""

    area: str
    found: list[tuple[Mutant, Verdict]] = field(default_factory=list)

    def of(self, status: Status) -> list[Mutant]:
        """Return the mutants with a status."""
        return [mutant for mutant, verdict in self.found if verdict.status is status]

    @property
    def share(self) -> float:
        """The share that is known not to survive, 0 to 1; of no mutants it is 1."""
        noticed = len(self.of(Status.KILLED)) + len(self.of(Status.TIMED_OUT))
        return noticed / len(self.found) if self.found else 1.0


def table(tallies: Sequence[Tally]) -> Iterator[str]:
    """Yield a title, one line for each area and one for all."""
    everything = Tally("all", [pair for tally in tallies for pair in tally.found])
    rows = [_TITLES, *(_row(tally) for tally in (*tallies, everything))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *cells))


def _row(tally: Tally) -> tuple[str, ...]:
    statuses = Counter(verdict.status for _, verdict in tally.found)
    counts = (len(tally.found), *(statuses[status] for status in Status))
    return tally.area, *map(str, counts), f"{100 * tally.share:.1f}"


def areas_below(tallies: Sequence[Tally]) -> list[str]:
    """Return a sentence for each area whose tests notice too little."""
    return [f"{tally.area}: less than {GOAL:.0%} killed" for tally in tallies if tally.share < GOAL]


def unjudged(tallies: Sequence[Tally]) -> list[str]:
    """Return a sentence for each mutant whose tests were ended from outside."""
    return [
        f"{tally.area}: unjudged, {verdict.by}, run again: {' | '.join(mutant.identity)}"
        for tally in tallies
        for mutant, verdict in tally.found
        if verdict.status is Status.UNJUDGED
    ]
