import asyncio

import pytest
from harness.hub import virtually
from payorch_server.rpc.interceptors.early_metadata import AFTER_S, EarlyMetadata
from payorch_server.runtime.deadlines import TICKS_PER_S, Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from programs.simulation.clock import SimulatedClock

METADATA = (("zuora-track-id", "t"),)
SEND_S = 0.5


class Context:
    """A context that notes when initial metadata were sent; sending takes a while."""

    def __init__(self) -> None:
        self.began_s: list[float] = []
        self.ended_s: list[float] = []

    async def send_initial_metadata(self, metadata: object) -> None:
        """Send."""
        assert metadata == METADATA
        self.began_s.append(now_s())
        await asyncio.sleep(SEND_S)
        self.ended_s.append(now_s())


def now_s() -> float:
    """Return the time of the loop."""
    return asyncio.get_running_loop().time()


def begin(context: Context) -> EarlyMetadata:
    """Begin a call."""
    return EarlyMetadata(context, METADATA, TaskOwner(), Deadlines(SimulatedClock(now_s)))


class TestEarlyMetadata:
    """They go ahead of slow responses alone."""

    @virtually
    async def test_are_sent_after_a_second(self) -> None:
        """Once; the response waits for the end of the sending."""
        context = Context()
        early = begin(context)

        await asyncio.sleep(AFTER_S + SEND_S / 2)
        await early.finish()

        (began_s,) = context.began_s
        assert AFTER_S <= began_s <= AFTER_S + 1 / TICKS_PER_S
        assert context.ended_s == [now_s()]

    @pytest.mark.parametrize("end", ["finish", "cancel"])
    @virtually
    async def test_are_not_sent_for_a_quick_response(self, end: str) -> None:
        """A client would take it for final, and not retry."""
        context = Context()
        early = begin(context)
        await asyncio.sleep(AFTER_S / 2)

        if end == "finish":
            await early.finish()
        else:
            early.cancel()
        await asyncio.sleep(10.0)

        assert context.began_s == []
