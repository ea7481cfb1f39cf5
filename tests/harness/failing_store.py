"""A store that fails at chosen operations of a run, in one of the forms in which a store or its client can fail."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

from payorch_server.store.port import Store, StoredValue, StoreUnavailable

T = TypeVar("T")


class Failure(StrEnum):
    """How an operation fails."""

    NOT_APPLIED = "nothing was done"
    NOT_ACKNOWLEDGED = "it was done"
    SOON = "it is done a moment later"
    LATE = "it is done when the lease is over"
    DIED_BEFORE = "nothing was done, and the execution died"
    DIED_AFTER = "it was done, and the execution died"


DEATHS = frozenset({Failure.DIED_BEFORE, Failure.DIED_AFTER})
_DELAYS_S = {Failure.SOON: 0.02, Failure.LATE: 140.0}


class FailingStore:
    """A store whose operations are numbered from 1, over all replicas that share it."""

    def __init__(self, inner: Store, *, failing: range, failure: Failure) -> None:
        """Make a store.

        Args:
            inner: What holds the values.
            failing: Numbers of the operations that fail.
            failure: How they fail.
        """
        self.inner = inner
        self.operations = 0
        """How many were begun."""
        self._failing = failing
        self._failure = failure
        self._late: set[asyncio.Task[object]] = set()

    def stop_failing(self) -> None:
        """Do from now on what is asked for."""
        self._failing = range(0)

    async def get(self, key: str) -> StoredValue | None:
        """Return what is stored."""
        return await self._do(lambda: self.inner.get(key))

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        """Store a value."""
        return await self._do(lambda: self.inner.put_if_absent(key, value, ttl_s=ttl_s, version=version))

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace a value."""
        return await self._do(lambda: self.inner.compare_and_set(key, value, version=version, ttl_s=ttl_s))

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete a value."""
        return await self._do(lambda: self.inner.compare_and_delete(key, version=version))

    async def check(self) -> None:
        """Nothing to check."""

    async def close(self) -> None:
        """Nothing is open."""

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        self.operations += 1
        is_failing = self.operations in self._failing
        await asyncio.sleep(0.001)
        if not is_failing:
            return await work()
        if self._failure in {Failure.NOT_ACKNOWLEDGED, Failure.DIED_AFTER}:
            await work()
        elif self._failure in _DELAYS_S:
            task: asyncio.Task[object] = asyncio.ensure_future(_later(work, _DELAYS_S[self._failure]))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        raise asyncio.CancelledError if self._failure in DEATHS else StoreUnavailable("cannot be reached")


async def _later(work: Callable[[], Awaitable[object]], delay_s: float) -> object:
    await asyncio.sleep(delay_s)
    return await work()
