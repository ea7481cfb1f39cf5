"""Instruments of metrics: counters that cost next to nothing, gauges, and the buckets of all histograms."""

from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
"""Bounds of every histogram of durations, seconds.

Source: OpenTelemetry, semantic conventions for RPC metrics (read 2026-11-20); the last two for executions, which may
take a minute.
"""


class CheapCounter:
    """A counter with a fixed set of attributes.

    It sums up in a dict, which is read at each collection. The SDK's own counters take some microseconds for each
    addition, and a call makes half a dozen of them.
    """

    def __init__(self, meter: Meter, name: str, attributes: tuple[str, ...], *, unit: str, description: str) -> None:
        self._attributes = attributes
        self._counts: dict[tuple[str, ...], int] = {}
        meter.create_observable_counter(name, callbacks=[self._read], unit=unit, description=description)

    def add(self, *values: str) -> None:
        """Add 1, with a value for each attribute in their order."""
        self._counts[values] = self._counts.get(values, 0) + 1

    def _read(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(count, dict(zip(self._attributes, values, strict=True)))
            for values, count in self._counts.items()
        ]


def observe(meter: Meter, name: str, read: Callable[[], list[Observation]], *, unit: str, description: str) -> None:
    """Publish what a function reads at each collection."""
    meter.create_observable_gauge(name, callbacks=[lambda _options: read()], unit=unit, description=description)
