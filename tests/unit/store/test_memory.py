import gc

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

    async def test_warns_before_it_is_full(self) -> None:
        """From nine tenths on, and no longer once records have expired."""
        clock, warnings = FakeClock(), []
        store = MemoryStore(clock=clock, max_entries=20)
        for number in range(20):
            warnings.append(store.warning)
            assert await store.put_if_absent(str(number), b"", ttl_s=1.0 + number) is None
        assert warnings[:18] == [""] * 18
        assert warnings[18:] == [f"the store in memory has {entries} of at most 20 entries" for entries in (18, 19)]

        clock.advance(5.0)
        await store.check()

        assert (store.entries, store.max_entries, store.warning) == (15, 20, "")

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

    async def test_keeps_each_record_for_its_own_time(self) -> None:
        """The order of writes is that of ends only where the time to live is the same."""
        clock = FakeClock()
        store = MemoryStore(clock=clock, max_entries=10)
        for key, ttl_s in (("year", 400.0), ("minute", 1.0), ("hour", 60.0), ("other minute", 1.0)):
            await store.put_if_absent(key, b"", ttl_s=ttl_s)
        await store.compare_and_set("minute", b"", version=1, ttl_s=60.0)

        held = []
        for passed_s in (0.0, 1.0, 59.0, 340.0):
            clock.advance(passed_s)
            held.append({key for key in ("year", "minute", "hour", "other minute") if await store.get(key)})

        assert held == [{"year", "minute", "hour", "other minute"}, {"year", "minute", "hour"}, {"year"}, set()]
        assert not store._queues

    async def test_adds_nothing_to_the_work_of_the_garbage_collector(self) -> None:
        """Objects that it tracked would lengthen its pauses, by half a second for a million records."""
        store = MemoryStore(clock=FakeClock(), max_entries=1000)
        gc.collect()
        before = len(gc.get_objects())

        for number in range(1000):
            await store.put_if_absent(str(number), b"v", ttl_s=TTL_S)
            await store.compare_and_set(str(number), b"w", version=1, ttl_s=TTL_S)
        gc.collect()

        assert len(gc.get_objects()) - before < 100

    async def test_does_not_grow_with_rewrites(self) -> None:
        """A record that is written or deleted again and again leaves no trail of expiries."""
        store = MemoryStore(clock=FakeClock(), max_entries=1)

        for _ in range(1000):
            await store.put_if_absent("a", b"", ttl_s=TTL_S)
            await store.compare_and_set("a", b"", version=1, ttl_s=TTL_S)
            await store.compare_and_delete("a", version=2)

        assert not any(store._queues.values())
