"""Rows side by side: each window weighs one of them at one level of load."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from programs.bench.children import BenchError, Child
from programs.bench.levels import Level
from programs.bench.windows import Order, Window

# Connections are opened and caches filled before the clock starts.
_WARM_S: Final = 0.25
# V8 gives up compiled code while there are no calls, and needs most of a second to have it again.
_WARM_COMPILER_S: Final = 1.0
# Long enough for two of them to differ while a just-in-time compiler is at work.
_WARM_UP_S: Final = 1.2
_MAX_WARM_UPS: Final = 10
# Two windows may cost the same while V8 is still at work.
_COMPILER_WARM_UPS: Final = 12
_STILL: Final = 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to measure."""

    name: str
    driver: Child
    """Who makes the calls."""
    weighed: Child
    """Whose CPU time is counted, that of its children included."""
    target: str
    levels: Sequence[Level]
    ca_file: str = ""
    """PEM file of the authority that the target's certificate is of; empty: no TLS."""
    compiles: bool = False
    """Whether it compiles itself while it runs, which takes longer to warm up, also after each pause."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One window of one row."""

    row: str
    round: int
    rpc: str
    in_flight: int
    calls: int
    calls_per_s: float
    cpu_us: float
    """User and system time of the weighed process and its children per call."""
    p50_us: float
    p99_us: float

    @property
    def level(self) -> Level:
        """Where it was measured."""
        return Level(self.rpc, self.in_flight)


def measure(row: Row, level: Level, *, number: int, seconds: float) -> Sample:
    """Measure one window of a round.

    Raises:
        BenchError: A call failed.
    """
    _load(row, level, _WARM_COMPILER_S if row.compiles else _WARM_S)
    window, cpu_us = _weigh(row, level, seconds)
    return Sample(
        row=row.name,
        round=number,
        rpc=level.rpc,
        in_flight=level.in_flight,
        calls=window.calls,
        calls_per_s=window.calls / window.seconds,
        cpu_us=cpu_us,
        p50_us=window.p50_us,
        p99_us=window.p99_us,
    )


def warm_up(row: Row, level: Level) -> Sequence[float]:
    """Call a row until its cost stands still, or for long enough; return the cost of a call in each window, in us.

    Raises:
        BenchError: A call failed.
    """
    first = range(_COMPILER_WARM_UPS if row.compiles else 0)
    costs_us = [_weigh(row, level, _WARM_UP_S)[1] for _ in first]
    most = len(first) + _MAX_WARM_UPS
    while len(costs_us) < most and not stands_still(costs_us):
        costs_us.append(_weigh(row, level, _WARM_UP_S)[1])
    return costs_us


def stands_still(costs: Sequence[float]) -> bool:
    """Return whether the last two windows cost the same within 10 %."""
    return len(costs) > 1 and abs(costs[-1] - costs[-2]) <= _STILL * min(costs[-2:])


def _weigh(row: Row, level: Level, seconds: float) -> tuple[Window, float]:
    before_s = row.weighed.cpu_s()
    window = _load(row, level, seconds)
    return window, (row.weighed.cpu_s() - before_s) / window.calls * 1e6


def _load(row: Row, level: Level, seconds: float) -> Window:
    order = Order(row.target, level.in_flight, seconds, rpc=level.rpc, ca_file=row.ca_file)
    try:
        return row.driver.window(order)
    except BenchError as error:
        raise BenchError(f"Row {row.name}: {error}") from error


def estimate_s(levels: Sequence[Level], *, rounds: int, seconds: float) -> float:
    """Return how long some windows take, one for each of the levels in every round, without those of the warm-up."""
    drained_s = sum(level.in_flight for level in levels) * _DRAINED_S
    return rounds * (len(levels) * (seconds + _WARM_S) + drained_s)


# What is in flight at the end of a window has to be answered, at a few hundred calls a second, twice for each window.
_DRAINED_S: Final = 0.005
