import msgspec
from harness.clock import FakeClock
from opentelemetry.sdk.metrics import MeterProvider  # noqa: TID251 - to read what was measured
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: TID251
from payorch_server.calls.metrics import CallMetrics
from payorch_server.model.identifiers import IdempotencyKey
from unit.calls.test_history import record


class Measured:
    """Call metrics and their reader."""

    def __init__(self) -> None:
        self.clock, self._reader = FakeClock(), InMemoryMetricReader()
        provider = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)
        self.calls = CallMetrics(provider.get_meter("test"), clock=self.clock)

    def flight(self, key: str, outcome: str) -> None:
        """End a flight."""
        self.calls.count_execution(msgspec.structs.replace(record(), outcome=outcome), IdempotencyKey(key))

    def unsettled(self) -> tuple[float, float]:
        """Read how many are unsettled, and since when."""
        data = self._reader.get_metrics_data()
        points = {
            metric.name: metric.data.data_points[0].value  # type: ignore[union-attr] # gauges have values
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name.startswith("payorch.intents.unsettled")
        }
        return points["payorch.intents.unsettled"], points["payorch.intents.unsettled.age"]


class TestUnsettled:
    """Intents that may have moved money, and of which nobody knows."""

    def test_begin_with_an_unknown_outcome(self) -> None:
        """And age from the first one on."""
        measured = Measured()
        measured.flight("a", "UNKNOWN")
        measured.clock.advance(60)
        measured.flight("a", "UNKNOWN")
        measured.flight("b", "UNKNOWN")

        assert (2, 60.0) == measured.unsettled()

    def test_end_with_any_other(self) -> None:
        """A refusal settles as well as a success."""
        measured = Measured()
        for key, outcome in (("a", "SUCCEEDED"), ("b", "REFUSED"), ("c", "PARTIAL")):
            measured.flight(key, "UNKNOWN")
            measured.flight(key, outcome)

        assert (0, 0.0) == measured.unsettled()

    def test_are_bounded(self) -> None:
        """The oldest is forgotten first."""
        measured = Measured()
        for number in range(10_050):
            measured.flight(str(number), "UNKNOWN")

        assert 10_000 == measured.unsettled()[0]
