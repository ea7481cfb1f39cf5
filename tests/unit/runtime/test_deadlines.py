import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest
from harness.hub import virtually
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.runtime.deadlines import TICKS_PER_S, Deadline, Deadlines, TimeLimit
from programs.simulation.clock import SimulatedClock
from programs.simulation.loop import VirtualLoop

T = TypeVar("T")

TICK_S = 1 / TICKS_PER_S
SECONDS = st.one_of(st.sampled_from((-1.0, 0.0, TICK_S, 1.0)), st.floats(0.0, 30.0))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), SECONDS),
        st.tuples(st.just("cancel"), st.floats(0.0, 0.999)),
        st.tuples(st.just("sleep"), SECONDS),
    ),
    max_size=60,
)


def now_s() -> float:
    """Return the time of the loop."""
    return asyncio.get_running_loop().time()


def deadlines() -> Deadlines:
    """Make some on the loop's time."""
    return Deadlines(SimulatedClock(now_s))


def timers() -> int:
    """Count the timers of the loop that are set."""
    loop: Any = asyncio.get_running_loop()
    return sum(not handle.cancelled() for handle in loop._scheduled)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run on virtual time."""

    async def awaited() -> T:
        return await work()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(awaited())


class Model:
    """Each deadline by itself: when it is due, and when it passed."""

    def __init__(self) -> None:
        self.deadlines = deadlines()
        self.due_s: list[float] = []
        self.passed_s: dict[int, float] = {}
        self.cancelled: set[int] = set()
        self._handles: list[Deadline] = []

    def begin(self, seconds: float) -> None:
        """Begin one."""
        number = len(self._handles)
        self.due_s.append(now_s() + max(seconds, 0.0))

        def passes() -> None:
            assert number not in self.passed_s, "it passes once"
            self.passed_s[number] = now_s()

        self._handles.append(self.deadlines.call_after(seconds, passes))

    def cancel(self, share: float) -> None:
        """Cancel the one at a place among all."""
        if self._handles:
            number = int(share * len(self._handles))
            self._handles[number].cancel()
            if number not in self.passed_s:
                self.cancelled.add(number)

    def check(self) -> None:
        """Compare with what the model expects by now."""
        for number, due_s in enumerate(self.due_s):
            if number in self.cancelled:
                assert number not in self.passed_s, "a cancelled one never passes"
            elif number in self.passed_s:
                late_s = self.passed_s[number] - due_s
                assert 0 <= late_s <= TICK_S + 1e-6, f"{late_s} s late"
            else:
                assert now_s() <= due_s + TICK_S + 1e-6, "it is overdue"


class TestDeadlines:
    """They pass in time, never early, and cost one timer together."""

    @given(STEPS)
    def test_pass_as_if_each_had_a_timer_of_its_own(self, steps: list[tuple[str, float]]) -> None:
        """Up to a tick later."""

        async def play() -> Model:
            model = Model()
            for what, value in steps:
                if what == "sleep":
                    await asyncio.sleep(max(value, 0.0))
                    await asyncio.sleep(0)
                else:
                    getattr(model, what)(value)
                assert timers() <= 1
                model.check()
            await asyncio.sleep(31.0)
            model.check()
            assert timers() == 0, "nothing is left when all have passed"
            return model

        run(play)

    @virtually
    async def test_pass_although_one_of_them_fails(self) -> None:
        """The failure is the event loop's to report."""
        own, passed, reported = deadlines(), [], []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["exception"]))

        def fail() -> None:
            raise ValueError

        own.call_after(1.0, fail)
        own.call_after(1.0, lambda: passed.append("same tick"))
        own.call_after(2.0, lambda: passed.append("later"))
        await asyncio.sleep(3.0)

        assert (passed, [ValueError]) == (["same tick", "later"], [type(error) for error in reported])

    @virtually
    async def test_can_be_cancelled_by_another_of_their_tick(self) -> None:
        """A callback sees no deadline pass that it has cancelled."""
        own, passed = deadlines(), []
        handles: list[Deadline] = []

        def cancel() -> None:
            handles[0].cancel()

        own.call_after(1.0, cancel)
        handles.append(own.call_after(1.0, lambda: passed.append("cancelled")))

        await asyncio.sleep(2.0)

        assert passed == []

    @virtually
    async def test_run_for_no_call(self) -> None:
        """What one call left in its context variables is kept alive by no timer."""
        own, seen, call = deadlines(), [], ContextVar("call", default="none")

        async def serve() -> None:
            call.set("this one")
            own.call_after(0.0, lambda: seen.append(call.get()))
            own.call_after(1.0, lambda: seen.append(call.get()))

        await asyncio.ensure_future(serve())
        await asyncio.sleep(2.0)

        assert ["none", "none"] == seen

    @virtually
    async def test_leave_nothing_behind_when_they_are_cancelled(self) -> None:
        """A thousand calls a second that all end in time have few ticks between them."""
        own = deadlines()

        for _ in range(1000):
            own.call_after(10.0, lambda: None).cancel()

        assert (timers(), len(own._order), repr(own)) == (1, 1, "Deadlines(0)")

    @virtually
    async def test_wake_nothing_up_where_all_are_cancelled(self) -> None:
        """The timer of the first is the last one."""
        own = deadlines()
        for seconds in (1.0, 10.0, 20.0):
            own.call_after(seconds, lambda: None).cancel()

        await asyncio.sleep(1.5)

        assert timers() == 0


class TestTimeLimit:
    """What runs inside it ends when its time is up."""

    @virtually
    async def test_raises_a_timeout(self) -> None:
        """Not early, and the task can go on."""
        own = deadlines()

        with pytest.raises(TimeoutError), own.limit(1.0):
            await asyncio.sleep(5.0)

        task: Any = asyncio.current_task()
        assert (1.0 <= now_s() <= 1.0 + TICK_S, task.cancelling()) == (True, 0)

    @virtually
    async def test_does_nothing_in_time(self) -> None:
        """And sets nothing for later."""
        own = deadlines()

        with own.limit(1.0) as limit:
            await asyncio.sleep(0.5)
        await asyncio.sleep(5.0)

        assert not limit.has_passed

    @pytest.mark.parametrize("after_s", [0.5, 1.0])
    @virtually
    async def test_passes_on_the_cancellation_of_its_task(self, after_s: float) -> None:
        """Also where its own time is up in the same moment."""
        own = deadlines()

        async def limited() -> None:
            with own.limit(1.0):
                await asyncio.sleep(5.0)

        task = asyncio.ensure_future(limited())
        await asyncio.sleep(0)
        own.call_after(after_s, task.cancel)
        await asyncio.wait([task])

        assert task.cancelled()

    @virtually
    async def test_can_be_shortened(self) -> None:
        """Once its time is up, that has no effect any more."""
        own = deadlines()

        async def limited() -> TimeLimit:
            with contextlib.suppress(TimeoutError), own.limit(10.0) as limit:
                limit.shorten(1.0)
                await asyncio.sleep(20.0)
            return limit

        limit = await limited()
        ended_s = now_s()
        limit.shorten(1.0)
        await asyncio.sleep(5.0)

        assert 1.0 <= ended_s <= 1.0 + TICK_S
        assert limit.has_passed

    @virtually
    async def test_nests(self) -> None:
        """The inner one ends only what is inside it."""
        own, ended = deadlines(), []

        async def limited() -> None:
            with own.limit(2.0):
                with pytest.raises(TimeoutError), own.limit(1.0):
                    await asyncio.sleep(5.0)
                ended.append(now_s())
                await asyncio.sleep(5.0)

        with pytest.raises(TimeoutError):
            await limited()

        assert ended
        assert ended[0] < 2.0 <= now_s() <= 2.0 + 2 * TICK_S


class TestResultOf:
    """Work that several wait for."""

    @virtually
    async def test_is_waited_for_by_each_until_its_own_deadline(self) -> None:
        """The one with the shorter deadline leaves, the other gets the result."""
        own = deadlines()
        work = asyncio.ensure_future(asyncio.sleep(2.0, "done"))
        short = asyncio.ensure_future(own.result_of(work, within_s=1.0))
        long = asyncio.ensure_future(own.result_of(work, within_s=3.0))

        with pytest.raises(TimeoutError):
            await short

        assert (await long, now_s()) == ("done", 2.0)

    @virtually
    async def test_is_not_cancelled_with_one_that_waits(self) -> None:
        """It does not even learn of it."""
        own = deadlines()
        work = asyncio.ensure_future(asyncio.sleep(2.0, "done"))
        waiter = asyncio.ensure_future(own.result_of(work, within_s=5.0))
        await asyncio.sleep(1.0)

        waiter.cancel()
        await asyncio.wait([waiter])

        assert (waiter.cancelled(), await work) == (True, "done")

    @virtually
    async def test_leaves_nothing_behind(self) -> None:
        """Neither where it came, nor at work that nothing ends."""
        own, work = deadlines(), asyncio.get_running_loop().create_future()
        waiters = [asyncio.ensure_future(own.result_of(work, within_s=float(seconds))) for seconds in (1, 2, 10)]
        await asyncio.sleep(3.0)
        left = len(work._callbacks)

        work.set_result("done")
        ends = await asyncio.gather(*waiters, return_exceptions=True)

        assert [TimeoutError, TimeoutError, str] == [type(end) for end in ends]
        assert (left, repr(own)) == (1, "Deadlines(0)")

    @virtually
    async def test_raises_what_the_work_raised(self) -> None:
        """For each that waits, and for one that comes later."""
        own = deadlines()

        async def fail() -> None:
            await asyncio.sleep(1.0)
            raise ValueError

        work = asyncio.ensure_future(fail())
        ends = await asyncio.gather(*(own.result_of(work, within_s=5.0) for _ in range(2)), return_exceptions=True)
        with pytest.raises(ValueError):  # noqa: PT011 - it has no text
            await own.result_of(work, within_s=0.0)

        assert [ValueError, ValueError] == [type(end) for end in ends]

    @virtually
    async def test_ends_with_the_cancellation_of_the_work(self) -> None:
        """Which leaves no result to wait for."""
        own = deadlines()
        work = asyncio.ensure_future(asyncio.sleep(10.0))
        waiter = asyncio.ensure_future(own.result_of(work, within_s=20.0))
        await asyncio.sleep(1.0)

        work.cancel()
        await asyncio.wait([waiter])

        assert (waiter.cancelled(), now_s()) == (True, 1.0)
