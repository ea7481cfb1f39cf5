import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.zuora.concurrency import ConcurrencyLimiter, LimiterKey

US: LimiterKey = ("acme", "us")
EU: LimiterKey = ("acme", "eu")
SOLO: LimiterKey = ("solo", "")


@pytest.mark.asyncio
class TestInFlight:
    """Calls are counted where Zuora counts them."""

    async def test_refuses_one_too_many(self) -> None:
        """Nothing is sent, and a resend is safe."""
        in_flight = ConcurrencyLimiter()
        await in_flight.enter(US, limit=1, wait_s=0)

        with pytest.raises(CallError) as caught:
            await in_flight.enter(US, limit=1, wait_s=0)

        assert (caught.value.failure.reason, caught.value.failure.metadata) == (Reason.OVERLOADED, {"tenant": "acme"})
        assert repr(in_flight) == "ConcurrencyLimiter(1 calls to 1 entities, 0 waiting)"

    async def test_serves_who_came_first_first(self) -> None:
        """Each that leaves lets one in."""
        in_flight, order = ConcurrencyLimiter(), []

        async def call(name: int) -> None:
            turn = await in_flight.enter(US, limit=1, wait_s=10)
            order.append(name)
            in_flight.leave(US, turn)

        first = await in_flight.enter(US, limit=1, wait_s=0)
        calls = [asyncio.ensure_future(call(name)) for name in range(5)]
        await asyncio.sleep(0)
        in_flight.leave(US, first)
        await asyncio.gather(*calls)

        assert ([0, 1, 2, 3, 4], "ConcurrencyLimiter(0 calls to 0 entities, 0 waiting)") == (order, repr(in_flight))

    async def test_lets_nobody_wait_behind_who_left(self) -> None:
        """A caller that is cancelled in the queue, or in the moment of its turn, gives its place away."""
        in_flight = ConcurrencyLimiter()
        first = await in_flight.enter(US, limit=1, wait_s=0)
        waiting = [asyncio.ensure_future(in_flight.enter(US, limit=1, wait_s=10)) for _ in range(3)]
        await asyncio.sleep(0)

        waiting[0].cancel()
        await asyncio.sleep(0)
        in_flight.leave(US, first)
        waiting[1].cancel()
        ends = await asyncio.gather(*waiting, return_exceptions=True)

        assert [asyncio.CancelledError, asyncio.CancelledError, object] == [type(end) for end in ends]
        assert repr(in_flight) == "ConcurrencyLimiter(1 calls to 1 entities, 0 waiting)"

    async def test_follows_a_limit_that_is_lowered(self) -> None:
        """Who waits keeps waiting until so many have left."""
        in_flight = ConcurrencyLimiter()
        turns = [await in_flight.enter(US, limit=3, wait_s=0) for _ in range(3)]
        waiting = asyncio.ensure_future(in_flight.enter(US, limit=1, wait_s=10))
        await asyncio.sleep(0)

        for expected in ("2 calls to 1 entities, 1 waiting", "1 calls to 1 entities, 1 waiting"):
            in_flight.leave(US, turns.pop())
            assert repr(in_flight) == f"ConcurrencyLimiter({expected})"
        in_flight.leave(US, turns.pop())
        await waiting

        assert repr(in_flight) == "ConcurrencyLimiter(1 calls to 1 entities, 0 waiting)"

    async def test_follows_a_limit_that_is_raised(self) -> None:
        """Who waited is let in before who comes."""
        in_flight = ConcurrencyLimiter()
        await in_flight.enter(US, limit=1, wait_s=0)
        waiting = asyncio.ensure_future(in_flight.enter(US, limit=1, wait_s=10))
        await asyncio.sleep(0)

        await in_flight.enter(US, limit=3, wait_s=0)
        await waiting

        assert repr(in_flight) == "ConcurrencyLimiter(3 calls to 1 entities, 0 waiting)"

    async def test_tells_how_many_there_are(self) -> None:
        """At Zuora and waiting, by tenant; a tenant without a call has none."""
        in_flight = ConcurrencyLimiter()
        turn = await in_flight.enter(US, limit=1, wait_s=0)
        await in_flight.enter(EU, limit=1, wait_s=0)
        await in_flight.enter(SOLO, limit=1, wait_s=0)
        waiting = asyncio.ensure_future(in_flight.enter(SOLO, limit=1, wait_s=10))
        await asyncio.sleep(0)
        in_flight.leave(US, turn)

        assert in_flight.by_tenant() == ({"acme": 1, "solo": 1}, {"acme": 0, "solo": 1})
        assert repr(in_flight) == "ConcurrencyLimiter(2 calls to 2 entities, 1 waiting)"
        waiting.cancel()

    async def test_loses_no_turn_when_calls_end_together(self) -> None:
        """A call that ends gives up its own turn, not that of a call which was let in and has not begun."""
        in_flight = ConcurrencyLimiter()
        turns = [await in_flight.enter(US, limit=8, wait_s=0) for _ in range(8)]
        waiting = [asyncio.ensure_future(in_flight.enter(US, limit=8, wait_s=10)) for _ in range(8)]
        await asyncio.sleep(0)

        for turn in turns:
            in_flight.leave(US, turn)
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        assert repr(in_flight) == "ConcurrencyLimiter(0 calls to 0 entities, 0 waiting)"

    async def test_counts_the_calls_of_one_task(self) -> None:
        """What calls is not what is counted: a task may send several at once."""
        in_flight = ConcurrencyLimiter()

        turns = [await in_flight.enter(US, limit=2, wait_s=0) for _ in range(2)]

        with pytest.raises(CallError) as caught:
            await in_flight.enter(US, limit=2, wait_s=0)

        assert caught.value.verdict.outcome is Outcome.NOT_SENT
        assert len(set(turns)) == 2


@given(st.lists(st.tuples(st.sampled_from([US, EU, SOLO]), st.booleans()), max_size=60), st.integers(1, 4))
def test_never_lets_more_in_than_are_allowed(steps: list[tuple[LimiterKey, bool]], most: int) -> None:
    """And refuses nobody where there is room; places do not touch each other."""

    async def run() -> str:
        in_flight = ConcurrencyLimiter()
        inside: dict[LimiterKey, list[object]] = {US: [], EU: [], SOLO: []}
        for place, enters in steps:
            if not enters and inside[place]:
                in_flight.leave(place, inside[place].pop())
            elif enters and len(inside[place]) == most:
                with pytest.raises(CallError) as caught:
                    await in_flight.enter(place, limit=most, wait_s=0)

                assert caught.value.verdict.outcome is Outcome.NOT_SENT
            elif enters:
                inside[place].append(await in_flight.enter(place, limit=most, wait_s=0))
        return f"{sum(map(len, inside.values()))} of {in_flight!r}"

    told, _, shown = asyncio.run(run()).partition(" of ")

    assert shown.startswith(f"ConcurrencyLimiter({told} calls")
