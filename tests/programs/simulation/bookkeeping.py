"""The log of events and the counts of a run."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

ALL_INTENTS: Final = "*"
"""In an event that concerns all intents."""


class EventLog:
    """The events of one run."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._events: list[tuple[float, str, str, str]] = []

    def add(self, actor: str, text: str, intent: str = ALL_INTENTS) -> None:
        """Write down what an actor does, to which intent."""
        self._events.append((self._time(), actor, intent, text))

    def digest(self) -> str:
        """Return a hash over all events: equal for equal runs."""
        whole = hashlib.sha256()
        for time_s, actor, intent, text in self._events:
            whole.update(f"{time_s!r}|{actor}|{intent}|{text}\n".encode())
        return whole.hexdigest()[:16]

    def of(self, intents: set[str]) -> list[str]:
        """Return what met these intents, for a person to read."""
        wanted = {*intents, ALL_INTENTS}
        return [
            f"{time_s:12.3f} s  {actor:<14} {text}" for time_s, actor, intent, text in self._events if intent in wanted
        ]


@dataclass(slots=True)
class Counts:
    """What happened how often, over all runs."""

    calls: int = 0
    runs: int = 0
    opportunities: Counter[str] = field(default_factory=Counter)
    """By class of fault."""
    faults: Counter[str] = field(default_factory=Counter)
    """By `class/kind`."""
    choices: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    executions: Counter[str] = field(default_factory=Counter)
    """Executions, and the joins, take-overs and replays of them."""
    exempt: Counter[str] = field(default_factory=Counter)
    """Second executions that nothing could have prevented, by why."""

    def add(self, other: "Counts") -> None:
        """Add another run's counts."""
        self.calls += other.calls
        self.runs += other.runs
        for name in ("opportunities", "faults", "choices", "outcomes", "reasons", "executions", "exempt"):
            getattr(self, name).update(getattr(other, name))


@dataclass(slots=True)
class Notes:
    """What instances did that shows nowhere else; by name of instance and key of intent."""

    taken_over: set[tuple[str, str]] = field(default_factory=set)
    """Where an instance continued an intent after another execution."""
    unrecorded: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """When an instance began to execute an intent without a record."""
