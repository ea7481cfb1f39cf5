"""The tasks of a process, its signals, its limit of open files, and callbacks that do nothing."""

import asyncio
import contextlib
import contextvars
import resource
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_LAST_S = 1.0


class TaskOwner:
    """The only creator of tasks: it keeps a reference to each, and `close` ends what is left.

    Use it as an asynchronous context manager around everything its tasks use.
    """

    def __init__(self) -> None:
        # In the order of their start, which a set would not keep: it is also that in which they are cancelled.
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start the work in a task that outlives its starter's cancellation; it works for the same call."""
        return self._own(asyncio.create_task(work, name=name))  # noqa: TID251 - this is the owner

    def start_shared(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start work for several calls, or for none: its log lines and spans are not of the call that starts it."""
        context = contextvars.Context()
        return self._own(asyncio.create_task(work, name=name, context=context))  # noqa: TID251 - this is the owner

    def _own(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # Retrieved here, because its waiter may have left.

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended; what its ends start, such as a note, may finish."""
        await self._cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_LAST_S)
        await self._cancel()

    async def _cancel(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def raise_open_file_limit() -> None:
    """Raise the limit of open files to what the process may set itself.

    Container runtimes often begin at 1024, which the connections of 25 entities that do not answer would use up: after
    that no tenant gets a connection, and no caller is accepted.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS allows fewer than it says; the limit then stays as it is.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def termination(*, on_first: Callable[[], None], on_second: Callable[[], None]) -> Iterator[None]:
    """Handle SIGTERM and SIGINT while the context is open: the first starts a drain, the second ends it."""
    loop = asyncio.get_running_loop()
    seen = 0

    def handle() -> None:
        nonlocal seen
        seen += 1
        (on_first if seen == 1 else on_second)()

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def ignore(*_arguments: object) -> None:
    """Do nothing: the default of optional callbacks."""
