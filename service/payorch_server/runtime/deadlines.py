"""Deadlines: any number of limits in time, over one timer of the event loop."""

import asyncio
import contextvars
import heapq
import math
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from payorch_server.runtime.clock import Clock

T = TypeVar("T")

TICKS_PER_S: Final = 64
"""A deadline passes up to a tick later than it was asked for. A power of two, so that no tick is rounded."""


class Deadline:
    """A callback that is due at a time."""

    __slots__ = ("_callback", "_tick")

    def __init__(self, callback: Callable[[], None], tick: "dict[Deadline, None]") -> None:
        self._callback: Callable[[], None] | None = callback
        self._tick = tick

    def cancel(self) -> None:
        """Make sure that the callback is not called any more. Cancelling twice, or too late, is harmless."""
        self._callback = None
        self._tick.pop(self, None)

    def call(self) -> None:
        """Call back, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class TimeLimit:
    """Ends what runs inside it with TimeoutError when its time is up, as `asyncio.timeout` does."""

    __slots__ = ("_cancelling", "_deadline", "_deadlines", "_seconds", "_task", "has_passed")

    def __init__(self, deadlines: "Deadlines", seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self.has_passed = False
        """Whether its time was up before its end."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be limited")
        self._task, self._cancelling = task, task.cancelling()
        self._deadline = self._deadlines.call_after(self._seconds, self._pass)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._deadline.cancel()
        # A cancellation that came from elsewhere as well is passed on.
        if self.has_passed and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def shorten(self, seconds: float) -> None:
        """Let the time be up so many seconds from now, unless it is up already."""
        if not self.has_passed:
            self._deadline.cancel()
            self._deadline = self._deadlines.call_after(seconds, self._pass)

    def _pass(self) -> None:
        self.has_passed = True
        self._task.cancel()


class Deadlines:
    """The deadlines of a process.

    Those within one tick pass together. One that is cancelled, as nearly all are, leaves nothing behind: it costs no
    timer of the event loop and no place in a heap.
    """

    def __init__(self, clock: Clock) -> None:
        """Have none yet.

        Args:
            clock: No deadline passes before its time on this clock.
        """
        self._clock = clock
        self._ticks: dict[int, dict[Deadline, None]] = {}
        # The numbers of all ticks that have a deadline or had one.
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0
        # Empty: callbacks run for no call, and a timer that sets the next one must not keep what belonged to one.
        self._context = contextvars.Context()

    def __repr__(self) -> str:
        return f"Deadlines({sum(map(len, self._ticks.values()))})"

    def call_after(self, seconds: float, callback: Callable[[], None]) -> Deadline:
        """Call back in so many seconds, or up to a tick later; at once, but not before this returns, for 0 or less."""
        if seconds <= 0:
            deadline = Deadline(callback, {})
            asyncio.get_running_loop().call_soon(deadline.call, context=self._context)
            return deadline
        number = math.ceil((self._clock.monotonic() + seconds) * TICKS_PER_S)
        tick = self._ticks.get(number)
        if tick is None:
            tick = self._ticks[number] = {}
            heapq.heappush(self._order, number)
            self._set_timer()
        deadline = Deadline(callback, tick)
        tick[deadline] = None
        return deadline

    def limit(self, seconds: float) -> TimeLimit:
        """Return what limits the time of the code inside it, in the task that enters it."""
        return TimeLimit(self, seconds)

    async def result_of(self, work: "asyncio.Future[T]", *, within_s: float) -> T:
        """Wait for the result of work that others may wait for too: it continues if this one stops waiting.

        Args:
            work: A task or a future.
            within_s: How long to wait.

        Raises:
            TimeoutError: It has not ended in that time.
        """
        if work.done():
            return work.result()
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_work: object = None) -> None:
            if not ended.done():
                ended.set_result(None)

        work.add_done_callback(end)
        deadline = self.call_after(within_s, end)
        try:
            await ended
        finally:
            deadline.cancel()
            work.remove_done_callback(end)
        if not work.done():
            raise TimeoutError
        return work.result()

    def _set_timer(self) -> None:
        """Set the timer to the first tick."""
        first = self._order[0]
        if self._timer is not None:
            if self._timer_tick <= first:
                return
            self._timer.cancel()
        self._timer_tick = first
        wait_s = first / TICKS_PER_S - self._clock.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(wait_s, 0.0), self._pass, context=self._context)

    def _pass(self) -> None:
        """Let the deadlines pass whose time has come."""
        self._timer = None
        loop, now = asyncio.get_running_loop(), self._clock.monotonic() * TICKS_PER_S
        # Those that are empty are dropped before their time.
        while self._order and (self._order[0] <= now or not self._ticks[self._order[0]]):
            for deadline in self._ticks.pop(heapq.heappop(self._order)):
                # Not called here, so that a failure of one cannot keep the others from passing.
                loop.call_soon(deadline.call)
        if self._order:
            self._set_timer()
