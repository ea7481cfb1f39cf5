"""How late the event loop runs what is due: all that it serves waits for that long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from opentelemetry.metrics import Meter

from payorch_server.runtime.clock import Clock
from payorch_server.telemetry.instruments import CheapHistogram

# Every pause that is longer is seen; waking up ten times a second would take 0.14 % of a core.
_INTERVAL_S: Final = 0.25


async def measure_loop_lag(
    meter: Meter, clock: Clock, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Measure four times a second until cancelled.

    Args:
        meter: Gets the histogram.
        clock: Times the sleeps.
        sleep: Waits for some seconds on the event loop.
    """
    lag = CheapHistogram(meter, "payorch.event_loop.lag", (), description="How late the event loop runs what is due.")
    # The first sleep takes one turn of the loop, so that the series are there from the start.
    wait_s = 0.0
    while True:
        due_s = clock.monotonic() + wait_s
        await sleep(wait_s)
        lag.record(max(clock.monotonic() - due_s, 0.0))
        wait_s = _INTERVAL_S
