"""More calls than the service can serve: what is served, how the rest is refused, and what a refusal costs."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import msgspec

from programs.hostile.arena import Arena
from programs.hostile.figures import Figure, at_least, at_most
from programs.hostile.flood import Tally
from programs.hostile.scenario import Scenario
from programs.hostile.service import AttackError, Service

_DEADLINE_S: Final = 5.0
_COMFORTABLE: Final = 64
_MOST_IN_FLIGHT: Final = 3000
_FACTORS: Final = (1, 3, 10)
_RECOVERED_AFTER_S: Final = 2.0
_MIN_GOODPUT: Final = 0.8
"""Of the successes per CPU second at the best load, which 3 times the capacity must leave."""
_MAX_REFUSAL: Final = 0.25
"""Of the CPU time of a success, which a refusal may cost: at 10 times the capacity all that is lost goes into them."""
_MIN_GOODPUT_AT_TEN: Final = 0.7
"""Of the same, at 10 times: refusals take a fifth of the time, and gRPC itself ends what there is no time to refuse."""
_MAX_BARE: Final = 0.01
"""Of the calls at the capacity. Beyond it the time for refusals is bounded, and gRPC itself ends the rest."""
_CORE: Final = 0


@dataclass(frozen=True, slots=True)
class Load:
    """A load and what it cost the service."""

    tally: Tally
    cpu_s: float

    @property
    def ok_per_cpu_s(self) -> float:
        """Successes for each second of the service's CPU."""
        return self.tally.ok / max(self.cpu_s, 1e-9)

    @property
    def bare_share(self) -> float:
        """Calls without a word about their outcome, of all that were sent."""
        return (self.tally.bare + self.tally.late) / max(self.tally.sent, 1)


def refusal_cpu_s(load: Load, *, best: float) -> float:
    """Return what a refusal costs: the CPU time beside that of the successes, for each call that did not succeed.

    Args:
        load: More than the capacity.
        best: Successes per CPU second at the best load.
    """
    rest_s = load.cpu_s - load.tally.ok / best
    return max(rest_s, 0.0) / max(load.tally.sent - load.tally.ok, 1)


async def overload(arena: Arena) -> Sequence[Figure]:
    """Find the capacity on one core, and offer multiples of it; measure again, once, if a figure fails its bound.

    CPU time on a machine that others use varies between seconds; a service without overload control fails twice.
    """
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        arena.service.pin(_CORE)
    try:
        await _load(arena, rate=0, seconds=1.0)  # connections and caches
        figures = await _measure(arena)
        return figures if all(figure.passed for figure in figures) else await _measure(arena)
    finally:
        if arena.service.alive:
            arena.service.pin(*cores)


async def _measure(arena: Arena) -> Sequence[Figure]:
    seconds = arena.lengths.overload_s
    comfortable = [await _load(arena, rate=0, seconds=seconds)]
    capacity = comfortable[0].tally.ok / comfortable[0].tally.seconds
    if not comfortable[0].tally.ok:
        raise AttackError(f"No call succeeds even without overload: {comfortable[0].tally}.")
    loads = []
    for factor in _FACTORS:
        loads.append(await _load(arena, rate=capacity * factor, seconds=seconds))
        await asyncio.sleep(_RECOVERED_AFTER_S)
        comfortable.append(await _load(arena, rate=0, seconds=seconds))
    # Each load is compared with what was served comfortably just before it and just after it.
    best = [(before.ok_per_cpu_s + after.ok_per_cpu_s) / 2 for before, after in pairwise(comfortable)]
    recovered = min(after.ok_per_cpu_s / before.ok_per_cpu_s for before, after in pairwise(comfortable))
    return [
        Figure("capacity of a core, calls/s", capacity),
        Figure("successes per CPU second", comfortable[0].ok_per_cpu_s),
        Figure("refused of the calls at capacity", comfortable[0].tally.refused / comfortable[0].tally.sent),
        *_figures(loads, best),
        Figure(
            f"of it {_RECOVERED_AFTER_S:.0f} s later",
            recovered,
            at_least(_MIN_GOODPUT),
            detail=" ".join(map(str, comfortable)),
        ),
    ]


def _figures(loads: Sequence[Load], best: Sequence[float]) -> list[Figure]:
    once, thrice, tenfold = loads
    goodput = [load.ok_per_cpu_s / of for load, of in zip(loads, best, strict=True)]
    refusal_s = refusal_cpu_s(tenfold, best=best[-1])
    figures = [
        Figure("of it at 1 times the capacity", goodput[0], at_least(_MIN_GOODPUT), detail=str(once)),
        Figure("of it at 3 times", goodput[1], at_least(_MIN_GOODPUT), detail=str(thrice)),
        Figure("of it at 10 times", goodput[2], at_least(_MIN_GOODPUT_AT_TEN), detail=str(tenfold)),
        Figure("a refusal at 10 times, CPU ms", refusal_s * 1000),
        Figure("of a success", refusal_s * best[-1], at_most(_MAX_REFUSAL), detail=str(tenfold)),
    ]
    return [
        *figures,
        Figure("without an outcome at 1 times", once.bare_share, at_most(_MAX_BARE), detail=str(once)),
        Figure("without an outcome at 3 times", thrice.bare_share),
        Figure("without an outcome at 10 times", tenfold.bare_share),
    ]


async def _load(arena: Arena, *, rate: float, seconds: float) -> Load:
    """Have a process call; rate 0 keeps a comfortable number of calls in flight."""
    service: Service = arena.service
    in_flight = _MOST_IN_FLIGHT if rate else _COMFORTABLE
    options = {
        "--port": service.grpc_port,
        "--tenant": "quick",
        "--rate": rate,
        "--seconds": seconds,
        "--in-flight": in_flight,
        "--deadline": _DEADLINE_S,
    }
    words = [str(word) for pair in options.items() for word in pair]
    before_s = service.cpu_s
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "programs.hostile.flood", *words, stdout=asyncio.subprocess.PIPE
    )
    if len(cores := os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(process.pid, cores - {_CORE})
    output, _ = await process.communicate()
    if process.returncode:
        raise AttackError(f"The process that calls ended with status {process.returncode}.")
    return Load(msgspec.json.decode(output, type=Tally), service.cpu_s - before_s)


SCENARIOS: Final = (
    Scenario("overload", "More calls than there is room for are refused at once and cheaply.", overload),
)
