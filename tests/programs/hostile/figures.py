"""What an attack measured, what is allowed, and the table of both."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_LARGE: Final = 100
_TITLES: Final = ("attack", "promise", "figure", "measured", "bound", "")


@dataclass(frozen=True, slots=True)
class Bound:
    """The least or the most that a figure may be."""

    limit: float
    least: bool = False
    """Whether the limit is the least; otherwise it is the most."""

    def allows(self, value: float) -> bool:
        """Whether a value keeps it; what is no number does not."""
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'at least' if self.least else 'at most'} {_number(self.limit)}"


def at_most(limit: float) -> Bound:
    """Return an upper bound."""
    return Bound(limit)


def at_least(limit: float) -> Bound:
    """Return a lower bound."""
    return Bound(limit, least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that an attack measured."""

    name: str
    """What was measured, with its unit."""
    value: float
    bound: Bound | None = None
    """None: it is printed and not judged."""
    usual: bool = False
    """Whether every attack has it and the table shows it only when it fails."""
    detail: str = ""
    """What a reader of a failure wants to know."""

    @property
    def passed(self) -> bool:
        """Whether it keeps its bound."""
        return self.bound is None or self.bound.allows(self.value)


@dataclass(frozen=True, slots=True)
class Result:
    """An attack that is over."""

    name: str
    promise: str
    figures: Sequence[Figure]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every figure keeps its bound."""
        return all(figure.passed for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "attack": self.name,
            "promise": self.promise,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "figures": [
                {
                    "figure": figure.name,
                    "value": figure.value,
                    "bound": str(figure.bound or ""),
                    "passed": figure.passed,
                    "detail": figure.detail,
                }
                for figure in self.figures
            ],
        }


def problems(results: Sequence[Result]) -> Iterator[str]:
    """Yield a sentence for each figure that breaks its bound."""
    for result in results:
        for figure in result.figures:
            if not figure.passed:
                detail = f" {figure.detail}" if figure.detail else ""
                yield f"{result.name}: {figure.name} is {_number(figure.value)}; {figure.bound} is allowed.{detail}"


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of the table: a title, and a line for each figure that is of interest."""
    rows = [_TITLES, *(row for result in results for row in _rows(result))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _rows(result: Result) -> Iterator[tuple[str, str, str, str, str, str]]:
    name, promise = result.name, result.promise
    for figure in result.figures:
        if figure.usual and figure.passed:
            continue
        verdict = "" if figure.bound is None else "pass" if figure.passed else "FAIL"
        yield name, promise, figure.name, _number(figure.value), str(figure.bound or ""), verdict
        name = promise = ""


def _number(value: float) -> str:
    """Write a number with three digits, a whole one in full."""
    whole = not math.isfinite(value) or value == int(value)
    return f"{value:.0f}" if whole or abs(value) >= _LARGE else f"{value:.3g}"
