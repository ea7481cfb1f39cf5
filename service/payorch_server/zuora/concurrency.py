"""How many calls are at Zuora at once, by tenant and entity, as Zuora counts them.

Source: Zuora, "Rate and concurrent request limits": 40 concurrent requests of the Default class per tenant, per entity
with Multi-entity (read 2026-11-20).
"""

import asyncio
from collections import Counter, deque

from payorch_server.model.errors import call_error
from payorch_server.model.outcome import Reason

LimiterKey = tuple[str, str]
"""Name of a tenant and wire form of an entity's id; the id is empty for a single-entity tenant."""


class ConcurrencyLimiter:
    """The calls in flight of this process; one for all its life, whatever policy is in force."""

    def __init__(self) -> None:
        self._calls: Counter[LimiterKey] = Counter()
        self._most: dict[LimiterKey, int] = {}
        self._waiting: dict[LimiterKey, deque[asyncio.Future[None]]] = {}

    def __repr__(self) -> str:
        waiting = sum(len(queue) for queue in self._waiting.values())
        return f"InFlight({self._calls.total()} calls to {len(self._calls)} places, {waiting} waiting)"

    def is_full(self, place: LimiterKey, *, most: int) -> bool:
        """Tell whether one more call would have to wait."""
        return self._calls[place] >= most

    def by_tenant(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many calls are in flight and how many wait, by tenant."""
        in_flight: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        for (tenant, _), calls in self._calls.items():
            in_flight[tenant] += calls
        for (tenant, _), queue in self._waiting.items():
            waiting[tenant] += len(queue)
        return in_flight, waiting

    async def enter(self, place: LimiterKey, *, most: int, wait_s: float) -> None:
        """Count a call that is about to be sent, when its turn has come; whoever enters leaves.

        Args:
            place: Where it goes.
            most: How many may be in flight there.
            wait_s: How long it may wait for its turn: first come, first served.

        Raises:
            NotSent: So many are in flight all that time.
        """
        self._most[place] = most
        self._let_in(place)
        if self._calls[place] < most:
            self._calls[place] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place, deque()).append(turn)
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except TimeoutError:
            self._give_up(place, turn)
            private = f"{most} calls to {place[0]} are in flight, for {wait_s:.1f} s"
            raise call_error(Reason.OVERLOADED, private, tenant=place[0]) from None
        except asyncio.CancelledError:
            self._give_up(place, turn)
            raise

    def leave(self, place: LimiterKey) -> None:
        """Count a call as ended, and let in as many as may be."""
        self._calls[place] -= 1
        self._let_in(place)
        if not self._calls[place]:
            del self._calls[place]

    def _let_in(self, place: LimiterKey) -> None:
        """Let in who waits, first come, first served, up to the limit as it is now: a reload may have changed it."""
        queue = self._waiting.get(place)
        while queue and self._calls[place] < self._most[place]:
            turn = queue.popleft()
            if not turn.done():
                self._calls[place] += 1
                turn.set_result(None)
        if queue is not None and not queue:
            del self._waiting[place]

    def _give_up(self, place: LimiterKey, turn: "asyncio.Future[None]") -> None:
        """Leave the queue; whose turn came in the same moment leaves its place to the next."""
        if turn.done() and not turn.cancelled():
            self.leave(place)
            return
        queue = self._waiting.get(place, deque())
        if turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[place]
