"""Rows side by side: every round measures each of them at each number in flight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from programs.bench.children import Child
from programs.bench.windows import Order

IN_FLIGHT: Final = (1, 32, 256)
# Connections are opened and caches filled before the clock starts.
_WARM_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to measure."""

    name: str
    driver: Child
    """Who makes the calls."""
    weighed: Child
    """Whose CPU time is counted."""
    target: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One window of one row."""

    row: str
    round: int
    in_flight: int
    calls: int
    calls_per_s: float
    cpu_us: float
    """User and system time of the weighed process per call."""
    p50_us: float
    p99_us: float


def measure(row: Row, *, number: int, in_flight: int, seconds: float) -> Sample:
    """Measure one window.

    Raises:
        BenchError: A call failed.
    """
    row.driver.window(Order(row.target, in_flight, _WARM_S))
    before_s = row.weighed.cpu_s()
    window = row.driver.window(Order(row.target, in_flight, seconds))
    cpu_s = row.weighed.cpu_s() - before_s
    return Sample(
        row=row.name,
        round=number,
        in_flight=in_flight,
        calls=window.calls,
        calls_per_s=window.calls / window.seconds,
        cpu_us=cpu_s / window.calls * 1e6,
        p50_us=window.p50_us,
        p99_us=window.p99_us,
    )


def estimate_s(rows: Sequence[Row], *, rounds: int, seconds: float) -> float:
    """Return how long all windows take."""
    return len(rows) * len(IN_FLIGHT) * rounds * (seconds + _WARM_S)
