"""Keeping all of a world as it is, and going back to it: state, books, faults, keys, switches, ids and time."""

import copy
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from zuora_emulator.clock import SystemClock, move
from zuora_emulator.world import World


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A world at one moment."""

    taken_at: datetime
    ahead: timedelta
    """How far the clock was ahead of the machine's, if it follows that."""
    switches: dict[str, Any]
    random_state: Any
    content: Any


def taken(world: World) -> Snapshot:
    """Return the world as it is now; calls in flight are not part of it."""
    clock = world.clock
    content = copy.deepcopy(
        {
            "state": world.state,
            "ledger": world.ledger.entries,
            "journal": world.journal.entries,
            "faults": world.faults.queues,
            "keys": {key: record for key, record in world.idempotency.records.items() if record.answer is not None},
            "counts": world.limits.counts,
            "minute": world.limits.minute,
            "queued": world.queued,
            "sends": world.upc.sends.entries,
            "upc": world.upc.configuration,
        }
    )
    return Snapshot(
        taken_at=clock.now(),
        ahead=clock.ahead if isinstance(clock, SystemClock) else timedelta(),
        switches=asdict(world.settings),
        random_state=world.ids.rng.getstate(),
        content=content,
    )


def restore(world: World, snapshot: Snapshot) -> None:
    """Make the world what it was; a clock that follows the machine's follows it again by what it was ahead.

    Raises:
        ClockNotAdjustableError: The clock is not the emulator's to move; nothing was changed.
    """
    clock, content = world.clock, copy.deepcopy(snapshot.content)
    if isinstance(clock, SystemClock):
        clock.ahead = snapshot.ahead
    elif clock.now() != snapshot.taken_at:
        move(clock, snapshot.taken_at - clock.now())
    world.settings.switch(snapshot.switches)
    world.ids.rng.setstate(snapshot.random_state)
    world.state = content["state"]
    world.upc.state = world.state
    world.upc.configure(content["upc"])
    world.ledger.entries = content["ledger"]
    world.journal.entries = content["journal"]
    world.faults.queues = content["faults"]
    world.idempotency.records = content["keys"]
    world.limits.counts, world.limits.minute = content["counts"], content["minute"]
    world.upc.sends.entries = content["sends"]
    world.queued = content["queued"]
    world.upc.changed.set()
