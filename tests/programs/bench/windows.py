"""Keeping a number of calls in flight for some seconds, on orders from standard input."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from time import perf_counter

import msgspec
import uvloop

Call = Callable[[], Awaitable[None]]


class Order(msgspec.Struct, frozen=True):
    """One window of load."""

    target: str
    in_flight: int
    seconds: float
    rpc: str = ""
    """Which one is called, where the target has several."""
    ca_file: str = ""
    """PEM file of the authority that the target's certificate is of; empty: no TLS."""


Caller = Callable[[Order], Call]
"""Makes the calls of an order."""


class Window(msgspec.Struct, frozen=True):
    """What a window of load saw."""

    calls: int = 0
    seconds: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    problem: str = ""
    """The first thing that went wrong; empty when every call was answered as it should be."""


class WrongAnswerError(Exception):
    """An answer that is not the expected one."""


def obey(callers: Callable[[], AbstractAsyncContextManager[Caller]]) -> None:
    """Carry out the orders, one JSON line each, until standard input ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_obey(callers))


async def _obey(callers: Callable[[], AbstractAsyncContextManager[Caller]]) -> None:
    async with callers() as caller:
        async for order in _orders():
            window = await _keep_in_flight(caller(order), in_flight=order.in_flight, seconds=order.seconds)
            print(msgspec.json.encode(window).decode(), flush=True)


async def _orders() -> AsyncIterator[Order]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield msgspec.json.decode(line, type=Order)


async def _keep_in_flight(call: Call, *, in_flight: int, seconds: float) -> Window:
    latencies_s: list[float] = []
    began = perf_counter()

    async def one_after_the_other() -> None:
        while perf_counter() - began < seconds:
            started = perf_counter()
            await call()
            latencies_s.append(perf_counter() - started)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(one_after_the_other())
    except ExceptionGroup as problems:
        first = problems.exceptions[0]
        return Window(problem=str(first) or type(first).__name__)
    took_s = perf_counter() - began
    latencies_s.sort()
    return Window(
        calls=len(latencies_s),
        seconds=took_s,
        p50_us=latencies_s[len(latencies_s) // 2] * 1e6,
        p99_us=latencies_s[len(latencies_s) * 99 // 100] * 1e6,
    )
