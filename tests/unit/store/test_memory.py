import pytest
from harness.clock import FakeClock
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue, StoreUnavailable

TTL_S = 60.0


@pytest.mark.asyncio
class TestMemoryStore:
    """What only the store in memory does; its promises are in the contract suite."""

    async def test_refuses_new_records_when_full(self) -> None:
        """Nothing is evicted: what is there stays and can be replaced."""
        store = MemoryStore(clock=FakeClock(), max_entries=2)
        await store.put_if_absent("a", b"", ttl_s=TTL_S)
        await store.put_if_absent("b", b"", ttl_s=TTL_S)

        with pytest.raises(StoreUnavailable, match="full with 2 entries"):
            await store.put_if_absent("c", b"", ttl_s=TTL_S)
        with pytest.raises(StoreUnavailable, match="full with 2 entries"):
            await store.check()

        assert await store.put_if_absent("a", b"x", ttl_s=TTL_S) == StoredValue(b"", 1)
        assert await store.compare_and_set("a", b"x", version=1, ttl_s=TTL_S)
        assert await store.get("c") is None

    async def test_has_room_again_after_expiry(self) -> None:
        """Expired records do not count."""
        clock = FakeClock()
        store = MemoryStore(clock=clock, max_entries=1)
        await store.put_if_absent("a", b"", ttl_s=TTL_S)

        clock.advance(TTL_S)

        await store.check()
        assert await store.put_if_absent("b", b"", ttl_s=TTL_S) is None

    async def test_ends_a_record_exactly_at_its_time(self) -> None:
        """It is there until its time to live has passed, to the last tick."""
        clock = FakeClock()
        store = MemoryStore(clock=clock, max_entries=1)
        await store.put_if_absent("a", b"", ttl_s=64.0)

        clock.advance(63.75)
        assert await store.get("a") == StoredValue(b"", 1)
        clock.advance(0.25)
        assert await store.get("a") is None

    async def test_a_superseded_expiry_ends_nothing(self) -> None:
        """The end of a deleted record is not the end of the one that took its place."""
        clock = FakeClock()
        store = MemoryStore(clock=clock, max_entries=1)
        await store.put_if_absent("a", b"old", ttl_s=1.0)
        await store.compare_and_delete("a", version=1)
        await store.put_if_absent("a", b"new", ttl_s=TTL_S)

        clock.advance(1.0)

        assert await store.get("a") == StoredValue(b"new", 1)

    async def test_does_not_grow_with_rewrites(self) -> None:
        """A record that is written or deleted again and again leaves no trail of expiries."""
        store = MemoryStore(clock=FakeClock(), max_entries=1)

        for _ in range(1000):
            await store.put_if_absent("a", b"", ttl_s=TTL_S)
            await store.compare_and_set("a", b"", version=1, ttl_s=TTL_S)
            await store.compare_and_delete("a", version=2)

        assert len(store._expiries) < 100
