import asyncio
import gc
import os
import signal
import weakref

import pytest
from payorch_server.runtime.lifecycle import TaskOwner, termination


@pytest.mark.asyncio
class TestTaskOwner:
    """No task is lost, and none outlives its owner."""

    async def test_keeps_a_task_without_another_reference(self) -> None:
        """The loop holds tasks weakly, and what this one waits for is referenced by the task alone."""
        tasks = TaskOwner()

        async def work() -> None:
            await asyncio.Event().wait()

        task = weakref.ref(tasks.start(work(), name="work"))
        await asyncio.sleep(0)
        gc.collect()

        assert task() is not None
        await tasks.close()

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

    async def test_retrieves_the_exception_of_a_task_without_a_waiter(self) -> None:
        """Otherwise the loop's exception handler is called when the task is collected."""
        tasks, reported = TaskOwner(), []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))

        async def work() -> None:
            raise ValueError

        await asyncio.wait([tasks.start(work(), name="work")])
        gc.collect()

        assert reported == []

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
        """An owner without tasks is as it was before."""
        tasks = TaskOwner()
        await tasks.close()
        task = tasks.start(asyncio.Event().wait(), name="work")

        await tasks.close()
        await tasks.close()

        assert task.cancelled()


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
