"""What a served emulator does by its clock alone: the timer for calls with `async: true`."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import pytest
import pytest_asyncio
from contract.zuora_caller import METHODS
from zuora_emulator import Emulator, SystemClock, seed, serving
from zuora_emulator.clock import USUAL_START

pytestmark = pytest.mark.asyncio

SEPA = {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}}


class HandClock(SystemClock):
    """A machine's clock whose time passes by hand."""

    def __init__(self) -> None:
        super().__init__()
        self._time = USUAL_START
        self._passed = asyncio.Event()
        self.waits: asyncio.Queue[float | None] = asyncio.Queue()
        """For how long the timer has waited, or waits, one after another; None: for nothing."""

    def now(self) -> datetime:
        """Return the time by hand."""
        return self._time

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and whatever waited for it come back."""
        self._time += timedelta(seconds=seconds)
        self._passed.set()

    async def wait_for(self, event: asyncio.Event, seconds: float | None) -> None:
        """Wait for the event or the hand."""
        self._passed.clear()
        self.waits.put_nowait(seconds)
        waits = {asyncio.ensure_future(each.wait()) for each in (event, self._passed)}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in pending:
            each.cancel()


@dataclass(frozen=True, slots=True)
class Served:
    """An emulator behind a socket, and a caller with a token."""

    emulator: Emulator
    clock: HandClock
    http: httpx.AsyncClient

    async def queue(self, **switches: object) -> None:
        """Have a payment method created apart from the call."""
        self.emulator.settings.switch(switches)
        answer = await self.http.post(METHODS, json=SEPA, headers={"async": "true"})
        assert answer.status_code == 202

    def outcomes(self) -> list[str | None]:
        """Return what became of the calls."""
        return [arrival.outcome for arrival in self.emulator.journal.of("payment_methods")]


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    """Serve an emulator; its timer waits for nothing yet."""
    clock = HandClock()
    emulator, client = Emulator(clock=clock), seed.CLIENT_B
    async with serving(emulator) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        form = {"client_id": client.client_id, "client_secret": client.client_secret}
        answer = await http.post("/oauth/token", data=form | {"grant_type": "client_credentials"})
        http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        assert await clock.waits.get() is None
        yield Served(emulator, clock, http)


class TestTheTimer:
    """It waits as long as the next thing takes to be due, and not a moment longer."""

    async def test_executes_a_queued_call_when_it_is_due(self, served: Served) -> None:
        """Without any call or test that moves the clock."""
        await served.queue()
        wait = await served.clock.waits.get()
        before = (served.outcomes(), served.emulator.ledger.count("payment_methods"))

        served.clock.pass_by(1)
        after = await served.clock.waits.get()

        assert (wait, after) == (1, None)
        assert before == (["queued"], 0)
        assert (served.outcomes(), served.emulator.ledger.count("payment_methods")) == (["executed"], 1)

    async def test_waits_on_if_time_has_not_passed(self, served: Served) -> None:
        """A wake before the time does nothing."""
        await served.queue(async_delay_seconds=10)
        first = await served.clock.waits.get()
        served.clock.pass_by(4)
        second = await served.clock.waits.get()

        assert (first, second, served.outcomes()) == (10, 6, ["queued"])

    async def test_is_cut_short_by_what_is_due_earlier(self, served: Served) -> None:
        """Each call is executed at its own time."""
        await served.queue(async_delay_seconds=10)
        first = await served.clock.waits.get()
        await served.queue(async_delay_seconds=2)
        second = await served.clock.waits.get()
        served.clock.pass_by(2)
        third = await served.clock.waits.get()
        halfway = served.outcomes()
        served.clock.pass_by(8)
        last = await served.clock.waits.get()

        assert (first, second, third, last) == (10, 2, 8, None)
        assert (halfway, served.outcomes()) == (["queued", "executed"], ["executed", "executed"])


class TestTheMachinesClock:
    """It waits for both, whichever comes first."""

    async def test_comes_back_after_the_time(self) -> None:
        """Without the event."""
        event = asyncio.Event()

        await SystemClock().wait_for(event, 0)

        assert not event.is_set()

    async def test_comes_back_with_the_event(self) -> None:
        """However long the time would be."""
        event = asyncio.Event()
        waiting = asyncio.ensure_future(SystemClock().wait_for(event, 10_000))
        event.set()
        await waiting

        assert event.is_set()
