import base64
from datetime import UTC, timedelta

import msgspec
import pytest
from harness.clock import START, FakeClock
from payorch_server.calls import history
from payorch_server.calls.history import CallHistory
from payorch_server.calls.recording import CallRecord
from payorch_server.calls.settings import CallHistorySettings
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.memory import MemoryStore

_STORED = (
    "kd4AF6RraW5kpGNhbGyjcnBjrUNyZWF0ZVNlc3Npb26odHJhY2tfaWSjdC0xqHRyYWNlX2lk2SAwYWY3NjUxOTE2Y2Q0M2RkODQ0OGViMjExYz"
    "gwMzE5Y6ZjYWxsZXKkc2hvcKluYW1lc3BhY2WnZGVmYXVsdKpzdGFydGVkX2F01/8dbygAawfY8KpkdXJhdGlvbl9zyz/QAAAAAAAAp291dGNv"
    "bWWmRkFJTEVEpm1ldGhvZNk0cGF5b3JjaC52MS5QYXltZW50T3JjaGVzdHJhdGlvblNlcnZpY2UvQ3JlYXRlU2Vzc2lvbqRjb2Rls0ZBSUxFRF"
    "9QUkVDT05ESVRJT06mYWR2aWNlpE5PTkWmcmVhc29usFBBWU1FTlRfREVDTElORUSmZGV0YWlsqGRlY2xpbmVkpXJvdXRlhqZ0ZW5hbnSkYWNt"
    "ZaZlbnRpdHmidXOkb3Jnc5Glbm9ydGinZ2F0ZXdheaVjYXJkc6RydWxlo2FsbKtwb2xpY3lfaGFzaKwwMTIzNDU2Nzg5YWKmaW50ZW50pm9wZW"
    "5lZKVyaWdodKCocGhhc2VzX3OBpXp1b3Jhyz/AAAAAAAAAqGF0dGVtcHRzkYanb3JkaW5hbAGraHR0cF9zdGF0dXPMyLB6dW9yYV9yZXF1ZXN0"
    "X2lk2SAwYWY3NjUxOTE2Y2Q0M2RkODQ0OGViMjExYzgwMzE5Y6pzdGFydGVkX2F01/8dbygAawfY8KpkdXJhdGlvbl9zyz+5mZmZmZmap291dG"
    "NvbWWndW5rbm93brFleGVjdXRlZF90cmFja19pZKN0LTGwenVvcmFfcmVxdWVzdF9pZNkgMGFmNzY1MTkxNmNkNDNkZDg0NDhlYjIxMWM4MDMx"
    "OWOwenVvcmFfcHJvY2Vzc19pZLAwQUY3NjUxOTE2Q0Q0M0REqGV2aWRlbmNlhKt6dW9yYV9jb2Rlc5GoNTAwMDAwNDCxcGF5bWVudF9tZXRob2"
    "RfaWSoMmM5MmMwZjmqcGF5bWVudF9pZKgyYzkyYzBmOK1yZXRyeV9hZnRlcl9zyz/4AAAAAAAA"
)
"""A record as it was stored before it was a struct."""


def record(track_id: str = "t", *, number: int = 0, namespace: str = "shop") -> CallRecord:
    """Make the record of a call."""
    return CallRecord(
        kind="call",
        rpc="CreateSession",
        track_id=track_id,
        trace_id="",
        caller="test",
        namespace=namespace,
        started_at=START + timedelta(seconds=number),
        duration_s=0.1,
        outcome="SUCCEEDED",
    )


class Replica:
    """One replica's memory over a store."""

    def __init__(self, store: MemoryStore, **settings: object) -> None:
        self.tasks = TaskOwner()
        given = CallHistorySettings(**settings)  # type: ignore[arg-type] # settings by name
        self.records = CallHistory(settings=given, store=store, tasks=self.tasks)

    async def written(self) -> None:
        """Wait until everything is in the store."""
        if self.records._writer is not None:
            await self.records._writer

    async def of(self, track_id: str = "t", *, namespace: str = "shop") -> list[CallRecord]:
        """Look a Track-Id up."""
        return [*await self.records.of(track_id, namespace=namespace)]


def memory() -> MemoryStore:
    """Make a store."""
    return MemoryStore(clock=FakeClock(), max_entries=100)


@pytest.mark.asyncio
class TestCallRecords:
    """A Track-Id leads to what happened."""

    async def test_are_those_of_one_namespace(self) -> None:
        """Oldest first."""
        replica = Replica(memory())
        first, second = record(number=1), record(number=2)
        for one in (first, second, record(namespace="other"), record("u")):
            replica.records.add(one)

        assert [first, second] == await replica.of()

    async def test_are_bounded(self) -> None:
        """By Track-Ids, and by the calls of one."""
        replica = Replica(memory(), max_in_memory=2)
        for number in range(20):
            replica.records.add(record(number=number))
        for track_id in ("u", "v"):
            replica.records.add(record(track_id))

        assert [] == await replica.of("t")
        assert repr(replica.records) == "CallHistory(2 Track-Ids, 0 waiting, 0 lost)"

    async def test_of_others_push_nobody_out(self) -> None:
        """Neither those of another namespace under the same Track-Id, nor of callers whom nobody knows."""
        replica = Replica(memory(), max_in_memory=2)
        replica.records.add(record())
        for number in range(20):
            replica.records.add(record(number=number, namespace="other"))
            replica.records.add(record(str(number), namespace=""))

        assert [record()] == await replica.of()

    async def test_of_one_track_id_are_the_newest_ten(self) -> None:
        """A caller may use one for ever."""
        replica = Replica(memory())
        for number in range(15):
            replica.records.add(record(number=number))

        assert [record(number=number) for number in range(5, 15)] == await replica.of()

    async def test_are_found_by_every_replica(self) -> None:
        """Those of both, each once."""
        store = memory()
        one, other = Replica(store, in_store=True), Replica(store, in_store=True)
        one.records.add(record(number=1))
        await one.written()
        other.records.add(record(number=2))
        await other.written()

        expected = [record(number=1), record(number=2)]
        assert (expected, expected) == (await one.of(), await other.of())

    async def test_of_a_call_and_its_execution_are_one_write(self) -> None:
        """They end in the same moment, and go to the same place."""
        store = memory()
        one, other = Replica(store, in_store=True), Replica(store, in_store=True)
        one.records.add(record(number=1))
        one.records.add(record(number=2))
        await one.written()

        stored = await store.get("call:shop:t")
        assert stored is not None
        assert 1 == stored.version
        assert [record(number=1), record(number=2)] == await other.of()

    async def test_are_found_by_request_id(self) -> None:
        """As long as they are remembered."""
        replica = Replica(memory(), max_in_memory=2)
        for number in range(3):
            named = msgspec.structs.replace(record(f"t-{number}"), request_id=f"r-{number % 2}")
            replica.records.add(named)

        found = {name: replica.records.track_ids_of(name, namespace="shop") for name in ("r-0", "r-1", "r-2")}
        assert {"r-0": ["t-2"], "r-1": ["t-1"], "r-2": []} == found
        assert [] == replica.records.track_ids_of("r-0", namespace="other")
        assert 2 == len(replica.records._of_requests)

    async def test_keep_every_member(self) -> None:
        """What the store gives back equals what was written."""
        store = memory()
        one, other = Replica(store, in_store=True), Replica(store, in_store=True)
        whole = msgspec.structs.replace(record(), phases_s={"zuora": 0.25}, reason="PAYMENT_DECLINED", detail="no")
        one.records.add(whole)
        await one.written()

        assert [whole] == await other.of()

    async def test_of_an_earlier_version_are_read(self) -> None:
        """And written in the same form, which its replicas read."""
        store, stored = memory(), base64.b64decode(_STORED)
        await store.put_if_absent("call:default:t-1", stored, ttl_s=60.0)

        (found,) = await Replica(store, in_store=True).records.of("t-1", namespace="default")
        assert ("PAYMENT_DECLINED", ("50000040",)) == (found.reason, found.evidence.zuora_codes)
        assert (UTC, 0.125) == (found.started_at.tzinfo, found.phases_s["zuora"])
        assert [Outcome.UNKNOWN] == [attempt.outcome for attempt in found.attempts]
        written, earlier = (msgspec.msgpack.decode(value) for value in (history._ENCODER.encode((found,)), stored))
        assert earlier == [{name: value for name, value in written[0].items() if name != "request_id"}]

    async def test_wait_for_the_store_in_a_bounded_queue(self) -> None:
        """A thousand may wait; further ones are lost to the store, and this process still knows them."""
        replica = Replica(memory(), in_store=True)
        for number in range(1001):
            replica.records.add(record(number=number))

        assert repr(replica.records) == "CallHistory(1 Track-Ids, 1000 waiting, 1 lost)"
        assert [*await replica.of()][-1] == record(number=1000)
        await replica.written()
        assert repr(replica.records) == "CallHistory(1 Track-Ids, 0 waiting, 1 lost)"

    async def test_cost_nobody_anything_when_the_store_is_gone(self) -> None:
        """They are counted as lost, and this process still knows its own."""
        store = memory()
        await store.close()
        replica = Replica(store, in_store=True)
        replica.records.add(record())
        await replica.written()

        assert [record()] == await replica.of()
        assert 1 == replica.records.lost
        with pytest.raises(CallError) as caught:
            await replica.of("u")
        assert Reason.STORE_UNAVAILABLE is caught.value.failure.reason
