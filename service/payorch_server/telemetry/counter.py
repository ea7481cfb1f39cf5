"""Counters that cost next to nothing: they are summed here, and read at each collection."""

from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation


class CheapCounter:
    """A counter with a fixed set of attributes.

    The SDK's own counters take some microseconds for each addition, and a call makes half a dozen of them.
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
