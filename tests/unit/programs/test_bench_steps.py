"""What the timers around the steps of a call measure, and that they change nothing else."""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from payorch_server.rpc.interceptors._unary import behaviour_of
from programs.bench import step_timers
from programs.bench.step_timers import Step, Steps


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is a nanosecond further whenever it is read."""
    readings: Iterator[int] = iter(range(1000))
    monkeypatch.setattr(step_timers, "thread_time_ns", lambda: next(readings))


@pytest.mark.usefixtures("ticks")
class TestSteps:
    """Each gets the time between entering and leaving it."""

    def test_do_not_include_those_inside(self) -> None:
        """The time of an inner step is its own alone."""
        steps = Steps()
        inner = steps.timed("inner", lambda: None)
        outer = steps.timed("outer", lambda: (inner(), inner()))

        outer()

        assert Step(own_ns=2, calls=2, entries=2) == steps.by_name["inner"]
        assert Step(own_ns=3, calls=1, entries=1, inner_entries=2) == steps.by_name["outer"]

    def test_do_not_include_waits(self) -> None:
        """Another step that runs meanwhile is not part of it."""
        steps = Steps()
        other = steps.timed("other", lambda: None)

        async def wait() -> str:
            await asyncio.sleep(0)
            return "result"

        async def both() -> str:
            running = asyncio.ensure_future(steps.timed("waiting", wait)())
            await asyncio.sleep(0)
            other()
            return await running

        assert "result" == asyncio.run(both())
        assert Step(own_ns=1, calls=1, entries=1) == steps.by_name["other"]
        assert Step(own_ns=2, calls=1, entries=2) == steps.by_name["waiting"]

    def test_pass_on_what_is_raised(self) -> None:
        """Out of the step and, when its task is cancelled, into it."""
        steps = Steps()

        def fail() -> None:
            raise LookupError

        async def wait() -> None:
            await asyncio.Event().wait()

        async def cancelled() -> None:
            running = asyncio.ensure_future(steps.timed("waiting", wait)())
            await asyncio.sleep(0)
            running.cancel()
            await running

        with pytest.raises(LookupError):
            steps.timed("failing", fail)()
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled())
        assert Step(own_ns=1, calls=1, entries=1) == steps.by_name["failing"]
        assert Step(own_ns=2, calls=1, entries=2) == steps.by_name["waiting"]

    def test_include_the_behaviour_of_a_handler(self) -> None:
        """An interceptor works in the handler that it returns."""
        steps = Steps()

        async def behave(_request: Any, _context: Any) -> str:
            return "answer"

        handler = steps.timed("interceptor", lambda: grpc.stream_unary_rpc_method_handler(behave))()
        behaviour = behaviour_of(handler)

        assert behaviour is not None
        assert inspect.iscoroutinefunction(behaviour)
        assert "answer" == asyncio.run(_awaited(behaviour(None, None)))
        assert Step(own_ns=2, calls=2, entries=2) == steps.by_name["interceptor"]


async def _awaited(answer: Any) -> Any:
    return await answer
