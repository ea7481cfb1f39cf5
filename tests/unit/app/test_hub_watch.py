"""What a hub sees of its store."""

import pytest
from harness.clock import START, FakeClock
from harness.hub import BrittleStore
from harness.memory_records import empty
from payorch_server.app.hub_watch import HubWatch
from payorch_server.store.memory import MemoryStore
from payorch_server.upc.epoch import declare_epoch
from payorch_server.upc.hub_ledger import EPOCH_KEY
from payorch_server.upc.open_records import OpenRecords
from structlog.testing import capture_logs

UNDECLARED = {"declared": False, "obstacle": "none is declared: run payorch-server upc init-store"}
DECLARED = {"declared": True, "since": "2026-11-20T12:00:00Z", "by": "init-store"}


class Watched:
    """A watch over a store that can fail and be emptied."""

    def __init__(self) -> None:
        self.store = BrittleStore(MemoryStore(clock=FakeClock(), max_entries=1_000))
        self.open_records = OpenRecords()
        self.watch = HubWatch(store=self.store, open_records=self.open_records, uniform=lambda low, _: low)

    async def declare(self) -> None:
        """Declare the epoch."""
        await declare_epoch(self.store, by="init-store", now_s=START.timestamp())

    async def look(self) -> list[str]:
        """Look once; return the events that are logged."""
        with capture_logs() as log:
            await self.watch.look()
        return [str(entry["event"]) for entry in log]


@pytest.mark.asyncio
class TestEpochState:
    """Readiness shows it, and a change is logged once."""

    async def test_is_unknown_before_the_first_look(self) -> None:
        """Nothing is claimed."""
        assert Watched().watch.epoch_state() == {"declared": False, "obstacle": "not looked at yet"}

    async def test_follows_the_declaration(self) -> None:
        """First missing, then declared."""
        watched = Watched()
        events = [*await watched.look(), *await watched.look()]
        before = watched.watch.epoch_state()
        await watched.declare()
        events += [*await watched.look(), *await watched.look()]

        assert (UNDECLARED, DECLARED) == (before, watched.watch.epoch_state())
        assert ["upc_epoch_unknown", "upc_epoch_declared"] == events

    async def test_is_lost_with_the_records(self) -> None:
        """An emptied store is an error in the log."""
        watched = Watched()
        await watched.declare()
        await watched.look()
        empty(watched.store.inner)

        assert await watched.look() == ["upc_epoch_unknown"]
        assert watched.watch.epoch_state() == UNDECLARED

    async def test_outlives_a_lost_connection(self) -> None:
        """A store that does not answer has lost nothing; one that never answered is named."""
        seen, unseen = Watched(), Watched()
        await seen.declare()
        await seen.look()
        for watched in (seen, unseen):
            watched.store.failing.add("get")
        events = [*await seen.look(), *await unseen.look()]

        assert (DECLARED, ["upc_epoch_unknown"]) == (seen.watch.epoch_state(), events)
        assert unseen.watch.epoch_state() == {
            "declared": False,
            "obstacle": "the store cannot be used: cannot be reached",
        }

    async def test_is_declared_by_any_record(self) -> None:
        """One that another version wrote counts as well."""
        watched = Watched()
        await watched.store.put_if_absent(EPOCH_KEY, b"?", ttl_s=60.0)
        await watched.look()

        assert watched.watch.epoch_state() == {"declared": True, "since": "1970-01-01T00:00:00Z", "by": "unknown"}


@pytest.mark.asyncio
async def test_defects_do_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch is seen all the same."""
    watched = Watched()
    await watched.declare()
    monkeypatch.setattr(watched.open_records, "forget_ended", lambda _store: 1 // 0)

    assert ["upc_epoch_declared", "upc_watch_failed"] == await watched.look()
    assert watched.watch.epoch_state() == DECLARED
