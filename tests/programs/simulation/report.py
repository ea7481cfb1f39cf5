"""What a simulation prints when it is over."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from programs.simulation.bookkeeping import Counts

_LEAST_SHARE: Final = 0.01
_ENOUGH: Final = 3000
"""Opportunities from which a rare kind of fault is no accident."""


def kinds_too_rare(counts: Counts) -> list[str]:
    """Return the kinds of faults that met fewer than 1 % of their opportunities."""
    return [
        kind
        for kind, times in sorted(counts.faults.items())
        if (chances := counts.opportunities[kind.partition("/")[0]]) >= _ENOUGH and times < _LEAST_SHARE * chances
    ]


def lines(counts: Counts) -> Iterator[str]:
    """Yield the report."""
    yield f"{counts.calls} calls in {counts.runs} runs"
    yield from _faults(counts)
    yield from _table("choices", counts.choices, sorted(counts.choices))
    yield "outcomes"
    for (outcome, advice), times in counts.outcomes.most_common():
        yield f"  {outcome:<10} {advice:<24} {times:>8}"
    yield from _table("reasons", counts.reasons, [name for name, _ in counts.reasons.most_common()])
    yield from _table("executions", counts.executions, sorted(counts.executions))
    yield from _table("not to be prevented", counts.exempt, sorted(counts.exempt))


def _faults(counts: Counts) -> Iterator[str]:
    yield "faults, and the share of their opportunities"
    for kind, times in sorted(counts.faults.items()):
        chances = counts.opportunities[kind.partition("/")[0]]
        yield f"  {kind:<28} {times:>8} {100 * times / chances:7.2f} %"


def _table(title: str, counted: Counter[str], names: list[str]) -> Iterator[str]:
    yield title
    for name in names:
        yield f"  {name:<66} {counted[name]:>8}"
