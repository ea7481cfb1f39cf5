"""Opens the store of the settings, and reports its failures."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import FIRST_VERSION, Store, StoredValue, StoreUnavailable
from payorch_server.store.settings import StoreSettings

T = TypeVar("T")


def open_store(settings: StoreSettings, *, password: Secret[str] | None, clock: Clock, deadlines: Deadlines) -> Store:
    """Return the store of the settings; nothing is connected yet."""
    if settings.kind == "memory":
        return MemoryStore(clock=clock, max_entries=settings.max_entries)
    from payorch_server.store.redis import RedisStore  # noqa: PLC0415 - a service without Redis need not load its client

    return RedisStore(settings, deadlines=deadlines, password=password)


class CountedStore:
    """A store that reports every operation that failed."""

    def __init__(self, inner: Store, *, failed: Callable[[str], None]) -> None:
        """Make a counted store.

        Args:
            inner: The store.
            failed: Called with the name of the operation.
        """
        self._inner = inner
        self._failed = failed

    def __repr__(self) -> str:
        return repr(self._inner)

    async def get(self, key: str) -> StoredValue | None:
        """Return what the key holds."""
        return await self._report("get", self._inner.get(key))

    async def put_if_absent(
        self, key: str, value: bytes, *, ttl_s: float, version: int = FIRST_VERSION
    ) -> StoredValue | None:
        """Store the value unless the key holds one."""
        return await self._report("put", self._inner.put_if_absent(key, value, ttl_s=ttl_s, version=version))

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace the value if it still has the version."""
        return await self._report("set", self._inner.compare_and_set(key, value, version=version, ttl_s=ttl_s))

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete the key if it still has the version."""
        return await self._report("delete", self._inner.compare_and_delete(key, version=version))

    @property
    def warning(self) -> str:
        """The warning of the store."""
        return self._inner.warning

    async def check(self) -> None:
        """Find out whether the store can be relied on."""
        await self._report("check", self._inner.check())

    async def close(self) -> None:
        """Release what the store holds."""
        await self._inner.close()

    async def _report(self, operation: str, work: Awaitable[T]) -> T:
        try:
            return await work
        except StoreUnavailable:
            self._failed(operation)
            raise
