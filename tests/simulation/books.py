"""What a run writes down: events in their order, and counts."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

EVERYBODY: Final = "*"
"""Stands for all intents in an event that meets each of them."""


class EventLog:
    """The events of one run."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._events: list[tuple[float, str, str, str]] = []

    def add(self, actor: str, text: str, intent: str = EVERYBODY) -> None:
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
        wanted = {*intents, EVERYBODY}
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
    coins: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    flights: Counter[str] = field(default_factory=Counter)
    """Joins, take-overs, replays, executions."""
    exempt: Counter[str] = field(default_factory=Counter)
    """Second executions that nothing could have prevented, by why."""

    def add(self, other: "Counts") -> None:
        """Add another run's counts."""
        self.calls += other.calls
        self.runs += other.runs
        for name in ("opportunities", "faults", "coins", "outcomes", "reasons", "flights", "exempt"):
            getattr(self, name).update(getattr(other, name))
