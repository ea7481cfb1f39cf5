"""Which intents are in doubt: noted by each process, decided by the records."""

import dataclasses
from collections.abc import Iterable
from datetime import timedelta

import msgspec
import pytest
from harness.clock import START, FakeClock
from harness.intents import FailingStore, fingerprint, memory_store
from harness.routes import route
from payorch_server.calls.recording import CallRecord
from payorch_server.intents import unsettled
from payorch_server.intents.intent_record import IntentRecord, Settlement, encode_record, store_key
from payorch_server.intents.unsettled import UnsettledIntents
from payorch_server.model.call_notes import RouteNames
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.port import MAX_VALUE_BYTES, Store

OPEN = IntentRecord(fingerprint(), route(), "gone", 0.0, START.timestamp(), doubtful=True)
SUCCEEDED = dataclasses.replace(OPEN, settlement=Settlement(""))
DECLINED = dataclasses.replace(OPEN, settlement=Settlement(Reason.PAYMENT_DECLINED.name))
SETTLED_AS_UNKNOWN = dataclasses.replace(OPEN, settlement=Settlement(Reason.UPSTREAM_INTERNAL.name))


def key(number: int) -> IdempotencyKey:
    """Make the key of an intent."""
    return IdempotencyKey(f"po1-{number:040x}")


def ended(number: int, outcome: str = "UNKNOWN", *, tenant: str = "acme", namespace: str = "shop") -> CallRecord:
    """Make the record of an execution that ended."""
    return CallRecord(
        kind="execution",
        rpc="DecryptApplePay",
        track_id=f"track-{number}",
        trace_id="",
        caller="test",
        namespace=namespace,
        started_at=START,
        duration_s=0.1,
        outcome=outcome,
        reason="UPSTREAM_NO_ANSWER",
        route=RouteNames(tenant=tenant),
        request_id=f"order-{number}-attempt-1",
    )


class Process:
    """One process over a store."""

    def __init__(self, clock: FakeClock, store: Store, *, is_shared: bool) -> None:
        self.clock = clock
        self.store = store
        self.intents = UnsettledIntents(store=store, clock=clock, tasks=TaskOwner(), is_shared=is_shared)

    async def end(self, number: int, record: IntentRecord | None = OPEN, **changes: str) -> None:
        """End an execution whose intent has this record."""
        if record is not None:
            await self.store.put_if_absent(store_key(key(number)), encode_record(record), ttl_s=60.0)
        self.intents.note(ended(number, **changes), key(number))
        self.clock.advance(1)
        if self.intents._writer:
            await self.intents._writer

    async def settle(self, number: int, record: IntentRecord) -> None:
        """Settle an intent as another process does."""
        await self.store.compare_and_set(store_key(key(number)), encode_record(record), version=1, ttl_s=60.0)

    async def read(self, *, namespaces: Iterable[str] = ("shop",), tenant: str = "", at_most: int = 100) -> list[str]:
        """Return the Track-Ids of the intents in doubt."""
        found = await self.intents.read(namespaces=namespaces, tenant=tenant, at_most=at_most)
        return [note.track_id for note, _ in found.intents]


@pytest.fixture(params=[True, False], ids=["shared", "in memory"])
def process(request: pytest.FixtureRequest) -> Process:
    """Make a process."""
    clock = FakeClock()
    return Process(clock, memory_store(clock), is_shared=request.param)


@pytest.mark.asyncio
class TestList:
    """What an operator sees."""

    async def test_begins_with_the_oldest(self, process: Process) -> None:
        """Of the asked namespaces and tenant."""
        await process.end(1)
        await process.end(2, tenant="solo")
        await process.end(3, namespace="other")
        await process.end(4)

        assert ["track-1", "track-2", "track-4"] == await process.read()
        assert ["track-2"] == await process.read(tenant="solo")
        assert ["track-1", "track-2", "track-3", "track-4"] == await process.read(namespaces=("other", "shop"))

    async def test_has_what_no_record_settles(self, process: Process) -> None:
        """Neither one that says UNKNOWN nor one that is missing does."""
        await process.end(1, SETTLED_AS_UNKNOWN)
        await process.end(2, None)
        await process.end(3, SUCCEEDED)
        await process.end(4, DECLINED)

        assert ["track-1", "track-2"] == await process.read()

    @pytest.mark.parametrize("value", [b"", b"\x81\xa5owner\xa1\xff", b"\x81\xa1z" + b"\x91" * 3000])
    async def test_has_what_cannot_be_read(self, process: Process, value: bytes) -> None:
        """A damaged record settles nothing, and hides no other intent."""
        await process.end(1)
        await process.end(2)
        await process.store.compare_and_set(store_key(key(1)), value, version=1, ttl_s=60.0)

        assert ["track-1", "track-2"] == await process.read()

    async def test_loses_what_another_process_settles(self, process: Process) -> None:
        """Its record decides, and its note is removed."""
        await process.end(1)
        before = await process.read()
        await process.settle(1, SUCCEEDED)

        assert (["track-1"], []) == (before, await process.read())
        assert {} == process.intents._own

    async def test_loses_what_a_resend_settles_here(self, process: Process) -> None:
        """Even where it could not be recorded."""
        await process.end(1, None)
        await process.end(1, None, outcome="SUCCEEDED")

        assert [] == [note.track_id for note in process.intents._own.values()]

    async def test_keeps_the_first_note(self, process: Process) -> None:
        """An intent is as old as its doubt, however often it is sent again."""
        await process.end(1)
        await process.end(2)
        await process.end(1)

        assert ["track-1", "track-2"] == await process.read()

    async def test_says_where_it_ends_early(self, process: Process) -> None:
        """There are more."""
        for number in range(20):
            await process.end(number)
        found = await process.intents.read(namespaces=("shop",), tenant="", at_most=19)
        whole = await process.intents.read(namespaces=("shop",), tenant="", at_most=20)

        assert (19, True, 20, False) == (len(found.intents), found.incomplete, len(whole.intents), whole.incomplete)


@pytest.mark.asyncio
class TestShared:
    """The notes of all processes are in the store."""

    async def test_are_read_by_others(self) -> None:
        """With their times, although the process is gone."""
        clock = FakeClock()
        store = memory_store(clock)
        one, other = (Process(clock, store, is_shared=True) for _ in range(2))
        for number in range(70):
            await one.end(number)

        assert [f"track-{number}" for number in range(70)] == await other.read()

    async def test_lose_what_was_settled(self) -> None:
        """Whichever process reads the list: a note that stays would take the place of another."""
        clock = FakeClock()
        one, other = (Process(clock, store, is_shared=True) for store in [memory_store(clock)] * 2)
        await one.end(1)
        await one.settle(1, SUCCEEDED)

        assert [] == await other.read()
        stored = await one.store.get(unsettled._bucket_key(unsettled._bucket_of(key(1))))
        assert stored is not None
        assert () == unsettled._decode_notes(stored.value)

    async def test_are_bounded_and_say_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A value of the store holds only so many."""
        monkeypatch.setattr(unsettled, "_BUCKETS", 8)
        monkeypatch.setattr(unsettled, "_MAX_OF_A_BUCKET", 2)
        clock = FakeClock()
        one = Process(clock, memory_store(clock), is_shared=True)
        for number in range(17):
            await one.end(number)

        found = await one.intents.read(namespaces=("shop",), tenant="", at_most=100)
        assert found.incomplete

    async def test_are_complete_while_none_is_left_out(self) -> None:
        """An operator may rely on it."""
        clock = FakeClock()
        one, other = (Process(clock, store, is_shared=True) for store in [memory_store(clock)] * 2)
        await one.end(1)

        found = [await process.intents.read(namespaces=("shop",), tenant="", at_most=10) for process in (one, other)]
        assert [False, False] == [listed.incomplete for listed in found]

    async def test_fit_into_a_value_of_the_store(self) -> None:
        """With long names, all of them."""
        long = {"track_id": "t" * 64, "request_id": "r" * 64, "caller": "c" * 80, "namespace": "n" * 32}
        note = msgspec.structs.replace(unsettled._note_of(ended(1), key(1), START), **long)

        assert len(unsettled._ENCODER.encode((note,) * unsettled._MAX_OF_A_BUCKET)) < MAX_VALUE_BYTES

    async def test_are_forgotten_after_thirty_days(self) -> None:
        """As the records are."""
        clock = FakeClock()
        one, other = (Process(clock, store, is_shared=True) for store in [memory_store(clock)] * 2)
        await one.end(0, None)
        clock.advance(timedelta(days=30).total_seconds() - 10)
        await one.end(64, None)
        clock.advance(60)
        await one.end(128, None)

        assert ["track-64", "track-128"] == await other.read()

    async def test_that_cannot_be_written_stay_here(self) -> None:
        """The store is away for a while: this process still lists them, and says that others do not."""
        clock = FakeClock()
        inner = memory_store(clock)
        failing = FailingStore(inner, fails=lambda operation, name: operation != "get" and name.startswith("unsettled"))
        one = Process(clock, failing, is_shared=True)
        await one.end(1)

        found = await one.intents.read(namespaces=("shop",), tenant="", at_most=10)
        assert (["track-1"], True) == ([note.track_id for note, _ in found.intents], found.incomplete)


@pytest.mark.asyncio
async def test_a_store_that_is_away_is_an_error() -> None:
    """No list is better than one that may be empty by mistake."""
    clock = FakeClock()
    one = Process(clock, FailingStore(memory_store(clock), fails=lambda *_: True), is_shared=True)

    with pytest.raises(CallError) as caught:
        await one.read()

    assert (Reason.STORE_UNAVAILABLE, Outcome.NOT_SENT) == (caught.value.failure.reason, caught.value.verdict.outcome)
