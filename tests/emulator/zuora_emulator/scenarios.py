"""Scenarios: how Zuora, or the way to it, misbehaves as a whole; YAML files beside this module, or anybody's own.

does: The rate limit is used up for a minute.     what happens
faults:                                           what the operations meet
- fault: "*:429:30"
times: always                                 or a number; 1 unless lasts_s is given
lasts_s: 60                                   by the emulator's clock; else until it is used up or removed
switches: {missing_entity: first}
revoke_tokens: true
clock_ahead_s: 900
"""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from zuora_emulator.faults import FaultSyntaxError, Times, parse_faults
from zuora_emulator.settings import Settings, SwitchError
from zuora_emulator.suggestions import did_you_mean
from zuora_emulator.world import World
from zuora_emulator.yaml_nodes import FileError, Section, read_yaml

_FOLDER = Path(__file__).parent / "scenario_files"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFault:
    """One fault of a scenario."""

    fault: str
    times: Times
    lasts_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario."""

    name: str
    does: str
    faults: tuple[ScenarioFault, ...] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)
    revoke_tokens: bool = False
    clock_ahead_s: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it with JSON values."""
        return asdict(self)


@functools.cache
def built_in() -> Mapping[str, Scenario]:
    """Return the scenarios of the package, by name."""
    return {path.stem: read_scenario(path) for path in sorted(_FOLDER.glob("*.yaml"))}


def scenario_of(name: str) -> Scenario:
    """Return the scenario of the package with that name, or that of a file.

    Raises:
        FileError: There is no such scenario, or the file is none; with every problem.
    """
    if name.endswith((".yaml", ".yml")):
        return read_scenario(Path(name))
    if name not in built_in():
        known = f"there are {', '.join(built_in())}, and files that end in .yaml"
        raise FileError(f"{name!r} is no scenario; {known}{did_you_mean(name, built_in())}")
    return built_in()[name]


def read_scenario(path: Path) -> Scenario:
    """Read a file.

    Raises:
        FileError: With every problem.
    """
    section, problems = read_yaml(path)
    scenario = Scenario(
        name=path.stem,
        does=section.text("does") or "",
        faults=tuple(_fault(each) for each in section.sections("faults")),
        switches=section.text_mapping("switches"),
        revoke_tokens=section.flag("revoke_tokens", default=False),
        clock_ahead_s=section.integer("clock_ahead_s", default=0),
    )
    try:
        Settings().switch(scenario.switches)
    except SwitchError as problem:
        section.refuse("switches", str(problem))
    section.finish()
    problems.finish()
    return scenario


def _fault(section: Section) -> ScenarioFault:
    text = section.text("fault") or ""
    lasts_s = section.integer("lasts_s", default=0) or None
    times = section.text("times", required=False, pattern=r"[1-9][0-9]{0,5}|always", form="a number, or always")
    try:
        parse_faults(text)
    except FaultSyntaxError as problem:
        section.refuse("fault", str(problem))
    section.finish()
    usual: Times = 1 if lasts_s is None else "always"
    return ScenarioFault(
        fault=text, times=usual if times is None else "always" if times == "always" else int(times), lasts_s=lasts_s
    )


async def start(world: World, scenario: Scenario) -> None:
    """Make a world behave as the scenario says, on top of what it already does.

    Raises:
        ClockNotAdjustableError: It moves the clock, which is not the emulator's to move; nothing else was done.
    """
    if scenario.clock_ahead_s:
        await world.advance(timedelta(seconds=scenario.clock_ahead_s))
    world.settings.switch(scenario.switches)
    now = world.clock.now()
    for each in scenario.faults:
        until = None if each.lasts_s is None else now + timedelta(seconds=each.lasts_s)
        world.faults.add(each.fault, times=each.times, until=until)
    if scenario.revoke_tokens:
        world.state.grants.clear()


def end(world: World) -> None:
    """End all scenarios: no faults any more, switches as at the start; what happened and the clock stay."""
    world.faults.clear()
    world.switch_back()
