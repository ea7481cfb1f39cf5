"""How many calls are at Zuora at once, by tenant and entity, as Zuora counts them.

Source: Zuora, "Rate and concurrent request limits": 40 concurrent requests of the Default class per tenant, per entity
with Multi-entity (read 2026-11-20).
"""

from collections import Counter

from payorch_server.model.errors import refuse
from payorch_server.model.outcome import Reason

Place = tuple[str, str]
"""Name of a tenant and wire form of an entity's id; the id is empty for a single-entity tenant."""


class InFlight:
    """The calls in flight of this process; one for all its life, whatever policy is in force."""

    def __init__(self) -> None:
        self._calls: Counter[Place] = Counter()

    def __repr__(self) -> str:
        return f"InFlight({self._calls.total()} calls to {len(self._calls)} places)"

    def enter(self, place: Place, *, most: int) -> None:
        """Count a call that is about to be sent; whoever enters leaves.

        Args:
            place: Where it goes.
            most: How many may be in flight there.

        Raises:
            NotSent: So many are in flight already.
        """
        if self._calls[place] >= most:
            raise refuse(Reason.OVERLOADED, f"{most} calls to {place[0]} are in flight", tenant=place[0])
        self._calls[place] += 1

    def leave(self, place: Place) -> None:
        """Count a call as ended."""
        self._calls[place] -= 1
        if not self._calls[place]:
            del self._calls[place]
