"""Limits of concurrent calls to Zuora, for each tenant and entity, as Zuora counts them.

Source: Zuora, "Rate and concurrent request limits": 40 concurrent requests of the Default class per tenant, per entity
with Multi-entity (read 2026-11-20).
"""

import asyncio
from collections import Counter

import anyio

from payorch_server.model.errors import call_error
from payorch_server.model.identifiers import entity_id_on_wire
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route

LimiterKey = tuple[str, str]
"""Name of a tenant and wire form of an entity's id; the id is empty for a single-entity tenant."""


def limiter_key(route: Route) -> LimiterKey:
    """Return the tenant and the entity of a route."""
    return route.tenant, entity_id_on_wire(route.entity_id)


class ConcurrencyLimiter:
    """The calls in flight of this process; it outlives changes of the policy."""

    def __init__(self) -> None:
        # For every key that was ever used; the configuration names them, so there are few.
        self._limiters: dict[LimiterKey, anyio.CapacityLimiter] = {}

    def __repr__(self) -> str:
        calls, waiting = self.by_tenant()
        entities = sum(1 for limiter in self._limiters.values() if limiter.borrowed_tokens)
        return f"ConcurrencyLimiter({calls.total()} calls to {entities} entities, {waiting.total()} waiting)"

    def is_full(self, key: LimiterKey, *, limit: int) -> bool:
        """Return whether another call would have to wait."""
        limiter = self._limiters.get(key)
        return limiter is not None and limiter.borrowed_tokens >= limit

    def count(self, key: LimiterKey) -> tuple[int, int]:
        """Return how many calls to a tenant's entity are in flight, and how many wait."""
        limiter = self._limiters.get(key)
        return (limiter.borrowed_tokens, limiter.statistics().tasks_waiting) if limiter else (0, 0)

    def by_tenant(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many calls are in flight and how many wait, by tenant."""
        in_flight: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        for (tenant, _), limiter in self._limiters.items():
            in_flight[tenant] += limiter.borrowed_tokens
            waiting[tenant] += limiter.statistics().tasks_waiting
        return in_flight, waiting

    async def enter(self, key: LimiterKey, *, limit: int, wait_s: float) -> object:
        """Take a slot for a call, waiting for a free one in order of arrival.

        Args:
            key: Tenant and entity of the call.
            limit: How many calls may be in flight there, at least 1; a reload may have changed it.
            wait_s: How long to wait for a slot.

        Returns:
            The slot, to be given back by `leave`.

        Raises:
            CallError: No slot became free in that time; NOT_SENT.
        """
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters[key] = anyio.CapacityLimiter(limit)
        # A raised limit lets in the calls that wait, before this one.
        limiter.total_tokens = limit
        # Not the task, which is the default: a task may have several calls in flight.
        slot = object()
        try:
            limiter.acquire_on_behalf_of_nowait(slot)
        except anyio.WouldBlock:
            await self._wait(key, limiter, slot, wait_s)
        return slot

    async def _wait(self, key: LimiterKey, limiter: anyio.CapacityLimiter, slot: object, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await limiter.acquire_on_behalf_of(slot)
        except TimeoutError:
            detail = f"{limiter.total_tokens} calls to {key[0]} were in flight for {wait_s:.1f} s"
            raise call_error(Reason.OVERLOADED, detail, tenant=key[0]) from None

    def leave(self, key: LimiterKey, slot: object) -> None:
        """Give back a slot, which lets in the next call.

        Args:
            key: Tenant and entity of the call.
            slot: As `enter` returned it for this call.
        """
        self._limiters[key].release_on_behalf_of(slot)
