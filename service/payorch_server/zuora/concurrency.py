"""How many calls are at Zuora at once, by tenant and entity, as Zuora counts them.

Source: Zuora, "Rate and concurrent request limits": 40 concurrent requests of the Default class per tenant, per entity
with Multi-entity (read 2026-11-20).
"""

import asyncio
from collections import Counter

import anyio

from payorch_server.model.errors import call_error
from payorch_server.model.outcome import Reason

LimiterKey = tuple[str, str]
"""Name of a tenant and wire form of an entity's id; the id is empty for a single-entity tenant."""


class ConcurrencyLimiter:
    """The calls in flight of this process; one for all its life, whatever policy is in force."""

    def __init__(self) -> None:
        # By place that was ever called; the configuration names them, so there are few.
        self._limiters: dict[LimiterKey, anyio.CapacityLimiter] = {}

    def __repr__(self) -> str:
        calls, waiting = self.by_tenant()
        places = sum(1 for limiter in self._limiters.values() if limiter.borrowed_tokens)
        return f"InFlight({calls.total()} calls to {places} places, {waiting.total()} waiting)"

    def is_full(self, place: LimiterKey, *, most: int) -> bool:
        """Tell whether one more call would have to wait."""
        limiter = self._limiters.get(place)
        return limiter is not None and limiter.borrowed_tokens >= most

    def by_tenant(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many calls are in flight and how many wait, by tenant."""
        in_flight: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        for (tenant, _), limiter in self._limiters.items():
            in_flight[tenant] += limiter.borrowed_tokens
            waiting[tenant] += limiter.statistics().tasks_waiting
        return in_flight, waiting

    async def enter(self, place: LimiterKey, *, most: int, wait_s: float) -> object:
        """Count a call that is about to be sent, when its turn has come; whatever enters leaves.

        Args:
            place: Where it goes.
            most: How many may be in flight there, at least 1; a reload may have changed it.
            wait_s: How long it may wait for its turn: first come, first served.

        Returns:
            What the call leaves with.

        Raises:
            CallError: No slot became free in that time; NOT_SENT.
        """
        limiter = self._limiters.get(place)
        if limiter is None:
            limiter = self._limiters[place] = anyio.CapacityLimiter(most)
        # A limit that was raised lets in those that wait, before this call.
        limiter.total_tokens = most
        # Not the task, the default: one task may have several calls in flight.
        turn = object()
        try:
            limiter.acquire_on_behalf_of_nowait(turn)
        except anyio.WouldBlock:
            await self._wait(place, limiter, turn, wait_s)
        return turn

    async def _wait(self, place: LimiterKey, limiter: anyio.CapacityLimiter, turn: object, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await limiter.acquire_on_behalf_of(turn)
        except TimeoutError:
            private = f"{limiter.total_tokens} calls to {place[0]} are in flight, for {wait_s:.1f} s"
            raise call_error(Reason.OVERLOADED, private, tenant=place[0]) from None

    def leave(self, place: LimiterKey, turn: object) -> None:
        """Count a call as ended, and let in the next.

        Args:
            place: Where it went.
            turn: What `enter` returned for this very call: another's may not have begun, and would be lost.
        """
        self._limiters[place].release_on_behalf_of(turn)
