import pytest
from harness.clock import FakeClock
from harness.intents import memory_store
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue
from payorch_server.upc.hub_record import record_key
from payorch_server.upc.open_records import OpenRecords, OpenSummary


def open_records(count: int) -> OpenRecords:
    """Return some requests in doubt, the newest last."""
    records = OpenRecords()
    for number in range(count):
        records.add(f"key-{number}", gateway="alpha", first_send_s=100.0 + number)
    return records


@pytest.mark.asyncio
class TestForgetEnded:
    """Requests that other replicas have ended are not counted for ever."""

    async def test_comes_to_those_after_the_first_hundred(self) -> None:
        """The first hundred stay in doubt, their records cannot be read; the fifty after them are gone."""
        store, records = memory_store(FakeClock()), open_records(150)
        for number in range(100):
            await store.put_if_absent(record_key(f"key-{number}"), b"unreadable", ttl_s=60)

        for _ in range(2):
            await records.forget_ended(store)

        assert records.by_gateway() == {"alpha": OpenSummary(100, 100.0)}

    async def test_asks_the_store_for_a_hundred_at_once(self) -> None:
        """All have ended; the rest is left for the next time."""
        store, records = memory_store(FakeClock()), open_records(150)

        await records.forget_ended(store)

        assert records.by_gateway() == {"alpha": OpenSummary(50, 200.0)}

    async def test_is_not_disturbed_by_one_that_ends_meanwhile(self) -> None:
        """This process may end it while it waits for the store."""
        records = open_records(1)

        class Ending(MemoryStore):
            async def get(self, key: str) -> StoredValue | None:
                records.remove("key-0")
                return await super().get(key)

        store = Ending(clock=FakeClock(), max_entries=10)
        await store.put_if_absent(record_key("key-0"), b"unreadable", ttl_s=60)
        await records.forget_ended(store)

        assert records.by_gateway() == {}


class TestByGateway:
    """What an operator sees."""

    def test_counts_and_names_the_oldest_of_each(self) -> None:
        """In whatever order they came."""
        records = OpenRecords()
        for key, gateway, first_send_s in (("a", "alpha", 7.0), ("b", "alpha", 5.0), ("c", "beta", 6.0)):
            records.add(key, gateway=gateway, first_send_s=first_send_s)

        assert records.by_gateway() == {"alpha": OpenSummary(2, 5.0), "beta": OpenSummary(1, 6.0)}


class TestAdd:
    """Memory has a limit."""

    def test_forgets_the_newest_above_ten_thousand(self) -> None:
        """The oldest are those that an operator has to see."""
        records = open_records(10_000)
        counts = [records.by_gateway()]
        records.add("key-10000", gateway="beta", first_send_s=1.0)
        counts.append(records.by_gateway())

        assert counts == [{"alpha": OpenSummary(10_000, 100.0)}] * 2
