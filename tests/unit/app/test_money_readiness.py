import pytest
from harness.clock import FakeClock
from harness.intents import FailingStore, memory_store
from payorch_server.app.money_readiness import MoneyReadiness
from payorch_server.store.port import StoreUnavailable
from structlog.testing import capture_logs


class _Store(FailingStore):
    away = False

    def __init__(self) -> None:
        super().__init__(memory_store(FakeClock()), fails=lambda _operation, _key: False)

    async def check(self) -> None:
        """Fail while it is away."""
        if self.away:
            raise StoreUnavailable("check: the server cannot be reached")


class _Bench:
    """The readiness of a service whose parts a test breaks."""

    def __init__(self) -> None:
        self.store = _Store()
        self.audit_obstacle = ""
        self.published: list[bool] = []
        self.readiness = MoneyReadiness(
            store=self.store,
            obstacles=(lambda: self.audit_obstacle, lambda: ""),
            publish=self._publish,
            uniform=lambda _low, high: high,
        )

    async def _publish(self, accepted: bool) -> None:  # noqa: FBT001 - as it is called
        self.published.append(accepted)


@pytest.mark.asyncio
class TestCheck:
    """Money moves when nothing stands in the way, as of the last check."""

    async def test_begins_without_readiness(self) -> None:
        """No check has been made yet."""
        readiness = _Bench().readiness

        assert (readiness.ready, readiness.obstacles) == (False, ("not checked yet",))

    async def test_follows_the_store(self) -> None:
        """Away and back."""
        bench = _Bench()
        for away in (False, True, False):
            bench.store.away = away
            await bench.readiness.check()

        assert bench.published == [True, False, True]
        assert bench.readiness.obstacles == ()

    async def test_survives_a_store_that_fails_unexpectedly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last result would otherwise stay for ever."""
        bench = _Bench()
        await bench.readiness.check()

        async def fail() -> None:
            raise AttributeError

        monkeypatch.setattr(bench.store, "check", fail)
        await bench.readiness.check()

        assert bench.published == [True, False]
        assert bench.readiness.obstacles == ("the check of the store failed: unexpected AttributeError",)

    async def test_names_every_obstacle(self) -> None:
        """An operator sees all of them at once."""
        bench = _Bench()
        bench.audit_obstacle = "the audit cannot be written"
        bench.store.away = True

        await bench.readiness.check()

        assert bench.readiness.obstacles == (
            "the audit cannot be written",
            "the store of intents cannot be used: check: the server cannot be reached",
        )

    async def test_logs_changes_alone(self) -> None:
        """A store that is away for an hour writes one line."""
        bench = _Bench()
        with capture_logs() as log:
            for away in (False, False, True, True, False):
                bench.store.away = away
                await bench.readiness.check()

        assert [line["event"] for line in log] == ["money_accepted", "money_refused", "money_accepted"]
