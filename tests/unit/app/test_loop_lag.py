"""How late the event loop runs what is due."""

import asyncio
from collections.abc import Iterator

import pytest
from harness.clock import FakeClock
from payorch_server.app.loop_lag import measure_loop_lag
from payorch_server.telemetry.providers import Telemetry, start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Yield a meter of its own."""
    started = start_telemetry(TelemetrySettings())
    yield started
    started.shutdown()


class TestLoopLag:
    """What a service's own pauses look like."""

    def test_is_what_a_sleep_takes_longer_than_it_was_to(self, telemetry: Telemetry) -> None:
        """One of three sleeps ends 70 ms late, and one early, as a clock of low resolution may have it."""
        clock, late_s = FakeClock(), iter([0.0, 0.07, -0.001])

        async def sleep(seconds: float) -> None:
            over_s = next(late_s, None)
            if over_s is None:
                raise asyncio.CancelledError
            clock.advance(seconds + over_s)

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(measure_loop_lag(telemetry.meter, clock, sleep=sleep))

        lines = telemetry.exposition("")[0].decode().splitlines()
        found = {
            name.partition("{")[0]
            + ("le" + name.partition('le="')[2].partition('"')[0] if 'le="' in name else ""): value
            for name, _, value in (
                line.rpartition(" ") for line in lines if "event_loop_lag" in line and line[0] != "#"
            )
        }
        assert float(found["payorch_event_loop_lag_seconds_bucketle0.05"]) == 2
        assert float(found["payorch_event_loop_lag_seconds_bucketle0.075"]) == 3
        assert float(found["payorch_event_loop_lag_seconds_sum"]) == pytest.approx(0.07)
