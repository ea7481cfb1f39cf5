"""An attack, and what every attack must leave behind: a process that lives, answers, and takes the next call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from programs.hostile.arena import Arena, recovery
from programs.hostile.figures import Bound, Figure, Result, at_most
from programs.hostile.memory_limit import begin_peak, peak_mb
from programs.hostile.probes import KINDS, Probes

MAX_PEAK_MB: Final = 450.0
MAX_HEALTH_S: Final = 1.0
# The chart gives livez 3 s; a shared machine takes some of them.
MAX_HTTP_S: Final = 2.0
MAX_RECOVERY_S: Final = 5.0
_PROBED_S: Final = 1.5
Attack = Callable[[Arena], Awaitable[Sequence[Figure]]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One attack."""

    name: str
    promise: str
    """One sentence."""
    attack: Attack
    """Carries it out and measures what is its own."""
    ends_service: bool = False
    """Whether the service has to end, so that nothing can be probed."""
    fills_connections: bool = False
    """Whether it opens as many connections as there may be, so that a new caller need not be served meanwhile."""


async def run(scenario: Scenario, arena: Arena, probes: Probes) -> Result:
    """Attack a service that works, and measure.

    Raises:
        AttackError: The service does not start, or the attack proves nothing.
    """
    if not arena.service.alive:
        await arena.service.start()
        await probes.until_well()
    await recovery(arena)
    begin_peak(arena.service.pid)
    before_mb, waited_before_s = peak_mb(arena.service.pid), arena.service.waited_s
    arena.service.log.forget()
    arena.service.output.forget()
    began_s = perf_counter()
    figures = [*await scenario.attack(arena)]
    ended_s = perf_counter()
    if not scenario.ends_service:
        figures += await _aftermath(scenario, arena, probes, began_s, before_mb)
        if arena.service.alive:
            figures.append(Figure("waiting for a core, s", arena.service.waited_s - waited_before_s))
    figures += _usual(arena)
    return Result(scenario.name, scenario.promise, figures, ended_s - began_s)


def _usual(arena: Arena) -> Sequence[Figure]:
    service = arena.service
    foreign = service.log.foreign + service.output.foreign
    shown = [line.decode(errors="replace") for line in (*service.log.foreign_lines, *service.output.foreign_lines)]
    return (Figure("lines that are not ours", foreign, at_most(0), usual=True, detail=f"Such as: {shown[:2]}"),)


def _bound(scenario: Scenario, kind: str, slack: float) -> Bound | None:
    if kind == "new caller" and scenario.fills_connections:
        return None
    return at_most(slack * (MAX_HTTP_S if kind in {"livez", "readyz"} else MAX_HEALTH_S))


async def _aftermath(
    scenario: Scenario, arena: Arena, probes: Probes, began_s: float, before_mb: float
) -> Sequence[Figure]:
    """Measure what a service that lives promises during and after an attack."""
    peak = peak_mb(arena.service.pid)
    if not arena.service.alive:
        return (Figure("deaths", 1, at_most(0), detail=arena.service.death),)
    recovered_s, problem = await recovery(arena)
    await asyncio.sleep(max(_PROBED_S - (perf_counter() - began_s), 0.0))
    ended_s = perf_counter()
    await probes.until_over(ended_s)
    if not arena.service.alive:
        return (Figure("deaths", 1, at_most(0), detail=arena.service.death),)
    figures = [
        Figure("deaths", 0, at_most(0), usual=True),
        Figure("peak memory, MB", peak, at_most(MAX_PEAK_MB), detail=f"It had {before_mb:.0f} MB before."),
    ]
    for kind in KINDS:
        worst = probes.worst(kind, began_s, ended_s)
        detail = f"The worst probe ended with: {worst.problem}." if worst.problem else ""
        figures.append(
            Figure(
                f"slowest {kind}, s",
                worst.seconds,
                _bound(scenario, kind, arena.lengths.slack),
                kind != "health",
                detail,
            )
        )
    detail = f"The last error was {problem}." if problem else ""
    figures.append(Figure("until every RPC works, s", recovered_s, at_most(MAX_RECOVERY_S), usual=True, detail=detail))
    return figures
