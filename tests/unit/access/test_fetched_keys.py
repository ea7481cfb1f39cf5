"""Fetched keys over time: rotation, outages, and tokens with unknown keys."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from harness.authority import Issuer, key_set
from harness.clock import FakeClock
from payorch_server.access.bearer import parse_key_set
from payorch_server.access.fetched_keys import MAX_RETRY_S, MIN_INTERVAL_S, RETRY_S, FetchedKeys
from payorch_server.access.key_fetching import FetchedKeySet
from payorch_server.access.key_source import KeyFetchError, KeySource
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from structlog.testing import capture_logs

FIRST = FetchedKeySet(parse_key_set(key_set(Issuer(kid="first"))), 300.0)
SECOND = FetchedKeySet(parse_key_set(key_set(Issuer(kid="first"), Issuer(kid="second"))), 900.0)
AWAY = KeyFetchError("status 503")
MAX_AGE_S = 86_400.0
MAX_WAITING = 500


@dataclass(slots=True)
class World:
    """The keys of an issuer whose server answers from a script, and a clock that the test moves."""

    answers: list[FetchedKeySet | Exception] = field(default_factory=list)
    """The last one is answered again and again."""
    clock: FakeClock = field(default_factory=FakeClock)
    tasks: TaskOwner = field(default_factory=TaskOwner)
    held: asyncio.Event | None = None
    """Fetches wait for it."""
    fetches: int = 0
    waits_s: list[float] = field(default_factory=list)
    """Between the fetches."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    slept: asyncio.Event = field(default_factory=asyncio.Event)
    keys: Any = None

    def __post_init__(self) -> None:
        """Make the keys."""
        self.keys = FetchedKeys(
            {"corp": KeySource("https://id.example", max_age_s=MAX_AGE_S)},
            client=self,
            clock=self.clock,
            tasks=self.tasks,
            deadlines=Deadlines(SystemClock()),
            max_waiting=MAX_WAITING,
            uniform=lambda _low, high: high,
            sleep=self.sleep,
        )

    async def fetch(self, _source: KeySource) -> FetchedKeySet:
        """Answer from the script."""
        self.fetches += 1
        if self.held:
            await self.held.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        """Wait until the test moves the clock."""
        self.waits_s.append(seconds)
        self.slept.set()
        await self.woken.wait()
        self.woken.clear()

    async def next_fetch(self) -> None:
        """Let the time between two fetches pass, and the fetch end."""
        self.slept.clear()
        self.clock.advance(self.waits_s[-1])
        self.woken.set()
        await self.slept.wait()

    async def begin(self) -> None:
        """Begin, and wait for the end of the first fetch."""
        self.keys.begin()
        await self.slept.wait()

    def kids(self) -> list[str] | None:
        """Return the keys that are used."""
        found = self.keys.key_set("corp")
        return sorted(found.keys) if found else None


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """End every task with the test."""
    made = World()
    yield made
    await made.tasks.close()


@pytest.mark.asyncio
class TestFetchedKeys:
    """The keys of one issuer."""

    async def test_are_fetched_again_when_they_are_no_longer_fresh(self, world: World) -> None:
        """As long as the answer says; other keys are used from then on, and logged."""
        world.answers = [FIRST, SECOND]
        with capture_logs() as logs:
            await world.begin()
            assert ["first"] == world.kids()
            await world.next_fetch()

        assert ["first", "second"] == world.kids()
        assert [300.0, 900.0] == world.waits_s
        assert [["first"], ["first", "second"]] == [line["kids"] for line in logs]

    async def test_are_kept_while_the_issuer_is_away(self, world: World) -> None:
        """With a line and an age for each failure, and longer and longer waits."""
        world.answers = [FIRST, AWAY]
        await world.begin()
        with capture_logs() as logs:
            for _ in range(8):
                await world.next_fetch()

        assert ["first"] == world.kids()
        assert [300.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0] == world.waits_s
        assert (RETRY_S, MAX_RETRY_S) == (10.0, 300.0)
        assert {"issuer_keys_not_fetched"} == {line["event"] for line in logs}
        assert ("status 503", 300.0, True) == (logs[0]["detail"], logs[0]["age_s"], logs[0]["still_used"])
        assert sum(world.waits_s[:8]) == world.keys.ages_s()["corp"]

    async def test_are_dropped_when_they_are_too_old(self, world: World) -> None:
        """A key may have been withdrawn; they come back with the issuer."""
        world.answers = [FIRST, AWAY]
        await world.begin()
        world.clock.advance(MAX_AGE_S)
        assert ["first"] == world.kids()
        world.clock.advance(0.1)
        assert world.kids() is None
        assert {"corp": False} == world.keys.usable()

        world.answers = [FIRST]
        assert await world.keys.renew("corp", within_s=1.0)
        assert ["first"] == world.kids()

    async def test_survive_a_defect_of_the_client(self, world: World) -> None:
        """Fetching must not end silently."""
        world.answers = [ValueError("secret"), SECOND]
        with capture_logs() as logs:
            await world.begin()
            await world.next_fetch()

        assert ["first", "second"] == world.kids()
        assert "the keys cannot be fetched: ValueError" == logs[0]["detail"]

    async def test_are_awaited_until_the_first_success(self, world: World) -> None:
        """What needs them begins then."""
        world.answers = [AWAY, FIRST]
        await world.begin()
        waiting = asyncio.ensure_future(world.keys.wait_for_first())
        await asyncio.sleep(0)
        assert not waiting.done()

        await world.next_fetch()
        await waiting

    async def test_are_shown_without_their_content(self, world: World) -> None:
        """By number."""
        assert "FetchedKeys(1 issuers, 0 with keys)" == repr(world.keys)
        assert {"corp": None} == world.keys.ages_s()


@pytest.mark.asyncio
class TestRenew:
    """A token names a key that is not there."""

    async def test_of_many_calls_is_one_fetch(self, world: World) -> None:
        """All wait for the same, and see what it found."""
        world.answers = [FIRST, SECOND]
        await world.begin()
        world.clock.advance(MIN_INTERVAL_S)
        world.held = asyncio.Event()
        waiting = [asyncio.ensure_future(world.keys.renew("corp", within_s=5.0)) for _ in range(500)]
        await asyncio.sleep(0)
        world.held.set()

        assert [True] * 500 == await asyncio.gather(*waiting)
        assert 2 == world.fetches
        assert ["first", "second"] == world.kids()

    async def test_of_more_calls_than_may_wait_ends_at_once(self, world: World) -> None:
        """A stranger's tokens cannot fill the server while an issuer is slow; the places are free after the fetch."""
        world.answers = [FIRST, SECOND]
        await world.begin()
        world.clock.advance(MIN_INTERVAL_S)
        world.held = asyncio.Event()
        waiting = [asyncio.ensure_future(world.keys.renew("corp", within_s=5.0)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)

        assert not await world.keys.renew("corp", within_s=5.0)
        waiting.pop().cancel()
        await asyncio.sleep(0)
        waiting.append(asyncio.ensure_future(world.keys.renew("corp", within_s=5.0)))
        await asyncio.sleep(0)
        world.held.set()
        assert [True] * MAX_WAITING == await asyncio.gather(*waiting)

    async def test_fetches_nothing_shortly_after_a_fetch(self, world: World) -> None:
        """A storm of invented keys sends one request in ten seconds."""
        world.answers = [FIRST]
        await world.begin()
        for _ in range(100):
            assert await world.keys.renew("corp", within_s=1.0)
        assert 1 == world.fetches

        world.clock.advance(MIN_INTERVAL_S)
        for _ in range(100):
            assert await world.keys.renew("corp", within_s=1.0)
        assert 2 == world.fetches

    async def test_proves_nothing_while_the_issuer_is_away(self, world: World) -> None:
        """Neither by the failed fetch nor shortly after it."""
        world.answers = [FIRST, AWAY]
        await world.begin()
        world.clock.advance(MIN_INTERVAL_S)

        assert not await world.keys.renew("corp", within_s=1.0)
        assert not await world.keys.renew("corp", within_s=1.0)
        assert 2 == world.fetches
        assert ["first"] == world.kids()

    async def test_waits_no_longer_than_the_call_can(self, world: World) -> None:
        """The fetch continues for others."""
        world.answers, world.held = [FIRST], asyncio.Event()
        world.keys.begin()
        await asyncio.sleep(0)

        assert not await world.keys.renew("corp", within_s=0.0)
        world.held.set()
        assert await world.keys.renew("corp", within_s=5.0)
        assert 1 == world.fetches
