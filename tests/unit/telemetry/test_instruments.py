from opentelemetry.sdk.metrics import MeterProvider  # noqa: TID251 - to read what was counted
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: TID251
from payorch_server.telemetry.instruments import CheapCounter


def test_a_tally_is_a_counter() -> None:
    """By its attributes, and nothing before the first one."""
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader], shutdown_on_exit=False).get_meter("test")
    tally = CheapCounter(meter, "things", ("kind", "colour"), unit="{thing}", description="Things.")
    empty = reader.get_metrics_data()
    for values in (("a", "red"), ("a", "red"), ("b", "")):
        tally.add(*values)

    data = reader.get_metrics_data()
    assert data is not None
    metric = data.resource_metrics[0].scope_metrics[0].metrics[0]

    points = {tuple((one.attributes or {}).values()): one.value for one in metric.data.data_points}  # type: ignore[union-attr] # a sum has values
    assert ({("a", "red"): 2, ("b", ""): 1}, True) == (points, metric.data.is_monotonic)  # type: ignore[union-attr] # a sum
    assert not empty or not empty.resource_metrics
