"""Instruments of metrics: counters and histograms that cost next to nothing, and gauges."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import Exemplar  # noqa: TID251 - this package owns it
from opentelemetry.sdk.metrics.export import (  # noqa: TID251 - this package owns it
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
)

from payorch_server.runtime.clock import SystemClock
from payorch_server.telemetry.recorded_spans import CallTrace, Fate

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
"""Bounds of every histogram of durations, seconds.

Source: OpenTelemetry, semantic conventions for RPC metrics (read 2026-11-20); the last two for executions, which may
take a minute.
"""
_CLOCK: Final = SystemClock()


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
            # A copy: an exporter's thread reads, and may meet a value that comes meanwhile.
            for values, count in list(self._counts.items())
        ]


class BucketExemplar(NamedTuple):
    """A duration in one bucket, and the trace that shows what took so long."""

    duration_s: float
    at_ns: int
    """Nanoseconds since 1970."""
    span: trace.SpanContext
    call: CallTrace | None
    """The spans whose fate that of the trace is; None where all are kept."""

    @property
    def is_kept(self) -> bool:
        """Whether the trace was sent, as far as it has been decided."""
        return self.call is None or self.call.fate is Fate.KEPT


@dataclass(slots=True)
class _Series:
    """The durations with one set of attributes."""

    since_ns: int
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0
    min_s: float = float("inf")
    max_s: float = 0.0
    exemplars: dict[int, "BucketExemplar"] = field(default_factory=dict)
    """The latest duration of a sampled trace in each bucket."""


class CheapHistogram:
    """A histogram of durations with a fixed set of attributes.

    It sums up like the counters above: the SDK's take eight microseconds for a value, and a call records two. The SDK
    cannot be given what is summed up already, so its readers ask for it themselves (`metric_readers.py`).
    """

    def __init__(self, meter: Meter, name: str, attributes: tuple[str, ...], *, description: str) -> None:
        self.name = name
        self._attributes = attributes
        self._description = description
        self._series: dict[tuple[str | int | None, ...], _Series] = {}
        _HISTOGRAMS.setdefault(meter, []).append(self)

    def record(self, duration_s: float, *values: str | int | None) -> None:
        """Add a duration, with a value for each attribute in their order; one that is None is left out."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = _Series(now_ns())
        bucket = bisect_left(BUCKETS_S, duration_s)
        series.counts[bucket] += 1
        series.sum_s += duration_s
        series.min_s = min(series.min_s, duration_s)
        series.max_s = max(series.max_s, duration_s)
        span = trace.get_current_span()
        context = span.get_span_context()
        if context.trace_flags.sampled:
            series.exemplars[bucket] = BucketExemplar(duration_s, now_ns(), context, getattr(span, "call", None))

    def metric(self, *, since_ns: int, now_ns: int) -> Metric:
        """Return what is exported: all durations, and the exemplars since another time."""
        data = Histogram(list(self._points(since_ns, now_ns)), AggregationTemporality.CUMULATIVE)
        return Metric(self.name, self._description, "s", data)

    def kept_exemplars(self) -> Iterator[tuple[dict[str, str | int], float, BucketExemplar]]:
        """Yield the latest duration of each bucket whose trace was kept, with its attributes and the bucket's bound."""
        for values, series in list(self._series.items()):
            named = zip(self._attributes, values, strict=True)
            attributes = {name: value for name, value in named if value is not None}
            for bucket, found in list(series.exemplars.items()):
                if found.is_kept:
                    yield attributes, (*BUCKETS_S, float("inf"))[bucket], found

    def _points(self, since_ns: int, now_ns: int) -> Iterator[HistogramDataPoint]:
        for values, series in list(self._series.items()):
            counts = tuple(series.counts)
            named = zip(self._attributes, values, strict=True)
            yield HistogramDataPoint(
                attributes={name: value for name, value in named if value is not None},
                start_time_unix_nano=series.since_ns,
                time_unix_nano=now_ns,
                count=sum(counts),
                sum=series.sum_s,
                bucket_counts=counts,
                explicit_bounds=BUCKETS_S,
                min=series.min_s,
                max=series.max_s,
                exemplars=[
                    Exemplar({}, found.duration_s, found.at_ns, found.span.span_id, found.span.trace_id)
                    for found in list(series.exemplars.values())
                    if found.at_ns >= since_ns
                ],
            )


_HISTOGRAMS: Final[WeakKeyDictionary[Meter, list[CheapHistogram]]] = WeakKeyDictionary()


def histograms_of(meter: Meter) -> Sequence[CheapHistogram]:
    """Return the histograms that were made with a meter."""
    return _HISTOGRAMS.get(meter, ())


def observe(meter: Meter, name: str, read: Callable[[], list[Observation]], *, unit: str, description: str) -> None:
    """Publish what a function reads at each collection."""
    meter.create_observable_gauge(name, callbacks=[lambda _options: read()], unit=unit, description=description)


def now_ns() -> int:
    """Return the time of day in nanoseconds since 1970, as points of metrics have it."""
    return int(_CLOCK.now().timestamp() * 1e9)
