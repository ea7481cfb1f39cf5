import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.errors import NotSent
from payorch_server.model.outcome import Reason
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
        await in_flight.enter(US, most=1, wait_s=0)

        with pytest.raises(NotSent) as caught:
            await in_flight.enter(US, most=1, wait_s=0)

        assert (caught.value.failure.reason, caught.value.failure.metadata) == (Reason.OVERLOADED, {"tenant": "acme"})
        assert repr(in_flight) == "InFlight(1 calls to 1 places, 0 waiting)"

    async def test_serves_who_came_first_first(self) -> None:
        """Each that leaves lets one in."""
        in_flight, order = ConcurrencyLimiter(), []

        async def call(name: int) -> None:
            await in_flight.enter(US, most=1, wait_s=10)
            order.append(name)
            in_flight.leave(US)

        await in_flight.enter(US, most=1, wait_s=0)
        calls = [asyncio.ensure_future(call(name)) for name in range(5)]
        await asyncio.sleep(0)
        in_flight.leave(US)
        await asyncio.gather(*calls)

        assert ([0, 1, 2, 3, 4], "InFlight(0 calls to 0 places, 0 waiting)") == (order, repr(in_flight))

    async def test_lets_nobody_wait_behind_who_left(self) -> None:
        """A caller that is cancelled in the queue, or in the moment of its turn, gives its place away."""
        in_flight = ConcurrencyLimiter()
        await in_flight.enter(US, most=1, wait_s=0)
        waiting = [asyncio.ensure_future(in_flight.enter(US, most=1, wait_s=10)) for _ in range(3)]
        await asyncio.sleep(0)

        waiting[0].cancel()
        await asyncio.sleep(0)
        in_flight.leave(US)
        waiting[1].cancel()
        ends = await asyncio.gather(*waiting, return_exceptions=True)

        assert [asyncio.CancelledError, asyncio.CancelledError, type(None)] == [type(end) for end in ends]
        assert repr(in_flight) == "InFlight(1 calls to 1 places, 0 waiting)"

    async def test_follows_a_limit_that_is_lowered(self) -> None:
        """Who waits keeps waiting until so many have left."""
        in_flight = ConcurrencyLimiter()
        for _ in range(3):
            await in_flight.enter(US, most=3, wait_s=0)
        waiting = asyncio.ensure_future(in_flight.enter(US, most=1, wait_s=10))
        await asyncio.sleep(0)

        for expected in ("2 calls to 1 places, 1 waiting", "1 calls to 1 places, 1 waiting"):
            in_flight.leave(US)
            assert repr(in_flight) == f"InFlight({expected})"
        in_flight.leave(US)
        await waiting

        assert repr(in_flight) == "InFlight(1 calls to 1 places, 0 waiting)"

    async def test_follows_a_limit_that_is_raised(self) -> None:
        """Who waited is let in before who comes."""
        in_flight = ConcurrencyLimiter()
        await in_flight.enter(US, most=1, wait_s=0)
        waiting = asyncio.ensure_future(in_flight.enter(US, most=1, wait_s=10))
        await asyncio.sleep(0)

        await in_flight.enter(US, most=3, wait_s=0)
        await waiting

        assert repr(in_flight) == "InFlight(3 calls to 1 places, 0 waiting)"

    async def test_tells_how_many_there_are(self) -> None:
        """Places without a call are forgotten, so nothing grows."""
        in_flight = ConcurrencyLimiter()
        await in_flight.enter(US, most=1, wait_s=0)
        await in_flight.enter(SOLO, most=1, wait_s=0)
        in_flight.leave(US)

        assert repr(in_flight) == "InFlight(1 calls to 1 places, 0 waiting)"


@given(st.lists(st.tuples(st.sampled_from([US, EU, SOLO]), st.booleans()), max_size=60), st.integers(1, 4))
def test_never_lets_more_in_than_are_allowed(steps: list[tuple[LimiterKey, bool]], most: int) -> None:
    """And refuses nobody where there is room; places do not touch each other."""

    async def run() -> str:
        in_flight, inside = ConcurrencyLimiter(), {US: 0, EU: 0, SOLO: 0}
        for place, enters in steps:
            if not enters and inside[place]:
                in_flight.leave(place)
                inside[place] -= 1
            elif enters and inside[place] == most:
                with pytest.raises(NotSent):
                    await in_flight.enter(place, most=most, wait_s=0)
            elif enters:
                await in_flight.enter(place, most=most, wait_s=0)
                inside[place] += 1
        return f"{sum(inside.values())} of {in_flight!r}"

    told, _, shown = asyncio.run(run()).partition(" of ")

    assert shown.startswith(f"InFlight({told} calls")
