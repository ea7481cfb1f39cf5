"""Draws the faults of a run, and their times, from its seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

KINDS: Final = (
    "replica-kill",
    "replica-freeze",
    "replica-term",
    "store-kill",
    "store-freeze",
    "store-flush",
    "store-full",
    "store-failover",
    "store-reset",
    "store-halve",
    "store-drip",
    "store-stall",
    "zuora-reset",
    "zuora-halve",
    "zuora-drip",
    "zuora-stall",
    "zuora-errors",
    "route-tenant",
    "route-gateway",
    "clock-far",
    "plugin-dies",
    "hub-kill",
    "hub-freeze",
    "hub-term",
)
"""All faults; a name begins with the part that the fault hits."""
MOVE: Final = "route-tenant"
_LOSE_ANSWERS: Final = frozenset({"replica-kill", "zuora-reset", "zuora-halve", "zuora-stall", "zuora-errors"})
"""During half of these the destination moves: resends must not follow it."""
_QUIET_S: Final = 2.0
_GAPS_S: Final = (1.0, 5.0)
_LENGTHS_S: Final = (0.5, 6.0)
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a run."""

    kind: str
    begin_s: float
    """Since the start of the load."""
    length_s: float
    choice: float
    """From 0 to 1: selects the target, or a variant of the fault."""

    @property
    def target(self) -> int:
        """The index of the one of two processes that it hits."""
        return int(self.choice >= _HALF)


@dataclass(frozen=True, slots=True)
class Setting:
    """The conditions of a whole run."""

    skews_s: tuple[float, float]
    """How far the clocks of the two replicas are ahead: less than the service tolerates."""
    min_replicas: int
    """`store.min_replicas`: whether a write counts only once the Redis replica has it."""
    body_mismatch: str
    """What Zuora does with another body under a key that it knows; which is right is not documented."""


def drawn_setting(rng: random.Random) -> Setting:
    """Draw the conditions of a run."""
    return Setting(
        skews_s=(rng.uniform(10, 50), -rng.uniform(10, 50)),
        min_replicas=rng.choice((0, 1)),
        body_mismatch=rng.choice(("execute", "refuse", "replay")),
    )


def drawn_schedule(rng: random.Random, *, seconds: float, only: str = "") -> list[Fault]:
    """Draw the faults of a run: each kind once before any is repeated.

    Args:
        rng: The random source.
        seconds: How long the load lasts.
        only: Kinds or their first words, separated by blanks; empty: all kinds.

    Raises:
        ValueError: There is no such kind.
    """
    kinds = kinds_of(only)
    faults: list[Fault] = []
    remaining: list[str] = []
    at_s = _QUIET_S
    while at_s < seconds - _QUIET_S:
        if not remaining:
            remaining = rng.sample(kinds, len(kinds))
        fault = Fault(remaining.pop(), at_s, rng.uniform(*_LENGTHS_S), rng.random())
        faults.append(fault)
        if fault.kind in _LOSE_ANSWERS and MOVE in kinds and rng.random() < _HALF:
            faults.append(Fault(MOVE, at_s + rng.uniform(0.0, fault.length_s), 0.0, rng.random()))
        at_s += rng.uniform(*_GAPS_S)
    return sorted(faults, key=lambda fault: fault.begin_s)


def kinds_of(only: str) -> Sequence[str]:
    """Return the kinds that `only` selects, such as `store` or `store-flush`; all of them if it is empty.

    Raises:
        ValueError: There is no such kind.
    """
    found: list[str] = []
    for name in only.split():
        named = [kind for kind in KINDS if kind == name or kind.startswith(f"{name}-")]
        if not named:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(KINDS)}")
        found += named
    return found or KINDS
