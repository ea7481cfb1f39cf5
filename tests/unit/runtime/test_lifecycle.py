import asyncio
import gc
import os
import signal

import pytest
from payorch_server.runtime.lifecycle import TaskOwner, termination


@pytest.mark.asyncio
class TestTaskOwner:
    """No task is lost, and none outlives its owner."""

    async def test_keeps_a_task_that_nobody_else_holds(self) -> None:
        """The loop itself holds tasks weakly."""
        tasks, gate, done = TaskOwner(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await gate.wait()
            done.set()

        _ = tasks.start(work(), name="work")
        await asyncio.sleep(0)
        gc.collect()
        gate.set()

        await done.wait()

    async def test_outlives_the_cancellation_of_its_starter(self) -> None:
        """Whoever waits through a shield may leave."""
        tasks, gate = TaskOwner(), asyncio.Event()

        async def work() -> str:
            await gate.wait()
            return "done"

        task = tasks.start(work(), name="work")
        waiter = asyncio.ensure_future(asyncio.shield(task))
        await asyncio.sleep(0)
        waiter.cancel()
        gate.set()

        assert await task == "done"

    async def test_retrieves_the_exception_that_nobody_waits_for(self) -> None:
        """A warning at the collection of the task would be an error here."""
        tasks, raised = TaskOwner(), asyncio.Event()

        async def work() -> None:
            raised.set()
            raise ValueError

        _ = tasks.start(work(), name="work")
        await raised.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        gc.collect()

    async def test_cancels_and_waits_when_it_closes(self) -> None:
        """A task may clean up, and its failure there hides nothing."""
        tasks, ended = TaskOwner(), []

        async def work(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        async def fail() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError

        started = [tasks.start(work(name), name=name) for name in ("one", "two")]
        _ = tasks.start(fail(), name="fail")
        await asyncio.sleep(0)

        await tasks.close()

        assert (sorted(ended), [task.cancelled() for task in started]) == (["one", "two"], [True, True])

    async def test_closes_when_nothing_runs(self) -> None:
        """Twice is not once too many."""
        tasks = TaskOwner()

        await tasks.close()
        await tasks.close()


@pytest.mark.asyncio
class TestTermination:
    """The first signal asks for a drain, the second for an end."""

    @pytest.mark.parametrize(
        ("signals", "expected"),
        [
            ([signal.SIGTERM], ["drain"]),
            ([signal.SIGINT], ["drain"]),
            ([signal.SIGTERM, signal.SIGTERM], ["drain", "end"]),
            ([signal.SIGINT, signal.SIGTERM, signal.SIGINT], ["drain", "end", "end"]),
        ],
    )
    async def test_counts_real_signals(self, signals: list[signal.Signals], expected: list[str]) -> None:
        """Sent to this very process."""
        heard: list[str] = []
        arrived = asyncio.Queue[None]()

        def note(what: str) -> None:
            heard.append(what)
            arrived.put_nowait(None)

        with termination(on_first=lambda: note("drain"), on_second=lambda: note("end")):
            for number in signals:
                os.kill(os.getpid(), number)
                await arrived.get()

        assert heard == expected

    async def test_gives_the_signals_back(self) -> None:
        """A program that embeds the service keeps its own handling."""
        loop = asyncio.get_running_loop()

        with termination(on_first=lambda: None, on_second=lambda: None):
            pass

        assert not loop.remove_signal_handler(signal.SIGTERM)
        assert not loop.remove_signal_handler(signal.SIGINT)
