"""Measures what an overloaded service still achieves, pinned to one core while the load runs on another."""

import argparse
import asyncio
import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import uvloop

from programs.bench.children import Child, child, role
from programs.bench.service import service
from programs.hostile.overload_load import Counts, Load, percentile_s

SERVICE_CORE: Final = 0
LOAD_CORE: Final = 1
_CALLS_AT_PEAK: Final = 64
_WARM_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load, and what became of it while it lasted."""

    factor: float
    """How many times the capacity was offered; 0: the peak itself."""
    counts: Counts
    seconds: float
    cpu_s: float
    """User and system time of the service."""
    settled_s: float
    """How long after the load the last call ended."""

    @property
    def successes_per_cpu_s(self) -> float:
        """How many calls succeeded for each second of CPU time."""
        return self.counts.succeeded / self.cpu_s

    def cost_of_refusal_us(self, peak_per_cpu_s: float) -> float:
        """Return the CPU time that was not spent on successes, for each refusal."""
        return (self.cpu_s - self.counts.succeeded / peak_per_cpu_s) / max(self.counts.overloaded, 1) * 1e6

    def __str__(self) -> str:
        counts, name = self.counts, f"{self.factor:g}x" if self.factor else "peak"
        return (
            f"{name:>5}: offered {counts.offered / self.seconds:5.0f}/s, OK {self.successes_per_cpu_s:4.0f} per CPU s, "
            f"OVERLOADED {counts.overloaded}, without details {counts.bare}, not sent {counts.unsent}; "
            f"p99 OK {percentile_s(counts.succeeded_s, 0.99):.2f} s, "
            f"refused {percentile_s(counts.overloaded_s, 0.99):.2f} s; settled in {self.settled_s:.1f} s"
        )


def main() -> int:
    """Measure; return 0, or 1 if the service kept too little at three times its capacity."""
    parser = argparse.ArgumentParser(prog="python -m programs.hostile.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one load (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="loads per figure (default %(default)s)")
    parser.add_argument("--factors", type=float, nargs="+", default=[3.0, 10.0], help="times the capacity")
    parser.add_argument("--code", type=Path, help="root of another checkout, whose service is measured")
    parser.add_argument("--at-least", type=float, default=0.5, help="share of the peak at 3x (default %(default)s)")
    options = parser.parse_args()
    shares: dict[float, list[float]] = {}
    with _service(options.code) as (process, port):
        for _ in range(options.rounds):
            peak = measure(process, port, factor=0, calls_per_s=0, seconds=options.seconds)
            print(peak, flush=True)
            for factor in options.factors:
                rate = factor * peak.successes_per_cpu_s
                measured = measure(process, port, factor=factor, calls_per_s=rate, seconds=options.seconds)
                shares.setdefault(factor, []).append(measured.successes_per_cpu_s / peak.successes_per_cpu_s)
                cost_us = measured.cost_of_refusal_us(peak.successes_per_cpu_s)
                print(f"{measured}; {shares[factor][-1]:.0%} of the peak, {cost_us:.0f} us a refusal", flush=True)
    for factor, of_factor in shares.items():
        print(f"{factor:g}x: median {median(of_factor):.0%} of the peak, {min(of_factor):.0%} to {max(of_factor):.0%}")
    return int(median(shares.get(3.0, [1.0])) < options.at_least)


@contextmanager
def _service(code: Path | None) -> Iterator[tuple[Child, int]]:
    """Run the service on a core of its own, and yield its process and port."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-overload-")))
        os.sched_setaffinity(0, {LOAD_CORE})
        stub = stack.enter_context(child("stub", role("stub")))
        upstream = f"http://127.0.0.1:{int(stub.line())}"
        # A process inherits the core of the one that starts it.
        os.sched_setaffinity(0, {SERVICE_CORE})
        started = service("service", upstream=upstream, folder=folder, code=code)
        process, addresses = stack.enter_context(started)
        os.sched_setaffinity(0, {LOAD_CORE})
        yield process, int(addresses.grpc.rpartition(":")[2])


def measure(process: Child, port: int, *, factor: float, calls_per_s: float, seconds: float) -> Measurement:
    """Load the service for some seconds.

    Args:
        process: The service.
        port: Where it listens.
        factor: For the report.
        calls_per_s: How many calls are offered; 0: as many as it serves, 64 at a time.
        seconds: How long.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(process, port, factor, calls_per_s, seconds))


async def _measure(process: Child, port: int, factor: float, calls_per_s: float, seconds: float) -> Measurement:
    load = Load(port)
    await load.open()
    if not calls_per_s:
        await load.keep_open(calls=_CALLS_AT_PEAK, seconds=_WARM_S)
        load.counts = Counts()
    before_s, began = process.cpu_s(), perf_counter()
    if calls_per_s:
        await load.offer(calls_per_s=calls_per_s, seconds=seconds)
    else:
        await load.keep_open(calls=_CALLS_AT_PEAK, seconds=seconds)
    took_s, cpu_s = perf_counter() - began, process.cpu_s() - before_s
    counts = _copy(load.counts)
    settled_s = await load.settle()
    # An error without details that comes after the load is one all the same.
    counts.bare = load.counts.bare
    load.close()
    return Measurement(factor, counts, took_s, cpu_s, settled_s)


def _copy(counts: Counts) -> Counts:
    return dataclasses.replace(counts, succeeded_s=list(counts.succeeded_s), overloaded_s=list(counts.overloaded_s))


if __name__ == "__main__":
    sys.exit(main())
