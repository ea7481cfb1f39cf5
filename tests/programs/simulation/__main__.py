"""`make simulate [WORLD=upc] [CALLS=n] [SEED=n] [BREAK=rule]`."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Final

from programs.simulation.bookkeeping import Counts
from programs.simulation.broken_rules import BROKEN_RULES
from programs.simulation.instance import Parts
from programs.simulation.quiet_logs import drop_log_lines
from programs.simulation.report import kinds_too_rare, lines
from programs.simulation.run import Result, play
from programs.simulation.upc.broken_hub import BROKEN_HUB_RULES
from programs.simulation.upc.hub_run import play_hub

_CALLS: Final = 100_000
_SEEDS: Final = 10**9
_MOST_SHOWN: Final = 5
_PROGRESS_EVERY: Final = 20


@dataclass(frozen=True, slots=True)
class _Simulated:
    """What is simulated."""

    play: Callable[[int, Any], Result]
    whole: Any
    """The parts that break no rule."""
    broken: Mapping[str, Any]
    """By name: the parts that break a rule."""


_WORLDS: Final = {
    "service": _Simulated(play, Parts(), BROKEN_RULES),
    "upc": _Simulated(play_hub, (), BROKEN_HUB_RULES),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate; return 1 if a promise was broken."""
    options = _options(arguments)
    drop_log_lines()
    world = _WORLDS[options.world]
    parts = world.broken[options.broken] if options.broken else world.whole
    first = options.seed if options.seed is not None else SystemRandom().randrange(_SEEDS)
    total, broken = Counts(), False
    seed = first
    while total.calls < options.calls:
        result = world.play(seed, parts)
        total.add(result.counts)
        if total.runs % _PROGRESS_EVERY == 0:
            _say(sys.stderr, f"{total.calls} of {options.calls} calls, seed {seed}")
        if result.violations:
            broken = True
            _tell(result, calls=total.calls, options=options)
            if not options.keep_going:
                break
        elif options.digest:
            _say(sys.stdout, f"seed {seed}: {result.digest}")
        seed += 1
    rare = kinds_too_rare(total) if not broken else []
    for line in lines(total):
        _say(sys.stdout, line)
    for kind in rare:
        _say(sys.stdout, f"TOO RARE: {kind}")
    _say(sys.stdout, f"seeds {first} to {seed if broken else seed - 1}, violations: {'see above' if broken else 0}")
    return 1 if broken or rare else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description="Simulate the service against its promises.")
    parser.add_argument("--world", choices=sorted(_WORLDS), default="service", help="what is simulated")
    parser.add_argument("--calls", type=int, default=_CALLS, help="end after so many calls")
    parser.add_argument("--seed", type=int, help="seed of the first run; random unless given")
    parser.add_argument(
        "--break",
        dest="broken",
        help="break this rule: "
        + ", ".join(f"of {name}: {', '.join(sorted(world.broken))}" for name, world in _WORLDS.items()),
    )
    parser.add_argument("--keep-going", action="store_true", help="do not end at the first violation")
    parser.add_argument("--digest", action="store_true", help="print each run's hash over its events")
    options = parser.parse_args(arguments)
    if options.broken and options.broken not in _WORLDS[options.world].broken:
        parser.error(f"the world {options.world} has no rule {options.broken}")
    return options


def _tell(result: Result, *, calls: int, options: argparse.Namespace) -> None:
    for violation in result.violations[:_MOST_SHOWN]:
        _say(sys.stdout, f"VIOLATION of {violation.rule}: {violation.text}")
        if not options.keep_going:
            for line in result.logs.get(violation.text, ()):
                _say(sys.stdout, f"    {line}")
    again = "make simulate" + (f" WORLD={options.world}" if options.world != "service" else "")
    again += f" SEED={result.seed} CALLS=1" + (f" BREAK={options.broken}" if options.broken else "")
    _say(sys.stdout, f"seed {result.seed}, found within {calls} calls; again with: {again}")


def _say(stream: object, text: str) -> None:
    stream.write(text + "\n")  # type: ignore[attr-defined] # one of the two standard streams
    stream.flush()  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
