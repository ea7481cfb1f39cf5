"""How many instances there are, and who decides it."""

from typing import Any

import metric_names
import pytest

from chart.rendering import CHART, containers_of, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
FLEET = CHART / "ci/fleet-values.yaml"
CALLS = "payorch_calls_in_progress"


def autoscaler_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the only HorizontalPodAutoscaler says."""
    (autoscaler,) = of_kind(objects, "HorizontalPodAutoscaler")
    spec: dict[str, Any] = autoscaler["spec"]
    return spec


class TestAutoscaler:
    def test_is_off_by_default(self) -> None:
        objects = render()

        assert of_kind(objects, "HorizontalPodAutoscaler") == []
        assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == 1

    def test_is_alone_in_deciding(self) -> None:
        """A Deployment with a number of its own would fall back to it at every upgrade."""
        objects = render(scenario=FLEET)
        (deployment,) = of_kind(objects, "Deployment")
        spec = autoscaler_of(objects)

        assert "replicas" not in deployment["spec"]
        assert spec["scaleTargetRef"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": deployment["metadata"]["name"],
        }
        assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 8)

    def test_goes_by_cpu_of_the_service_and_calls_in_progress(self) -> None:
        objects = render(scenario=FLEET)
        cpu, calls = autoscaler_of(objects)["metrics"]

        assert cpu["containerResource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
        assert cpu["containerResource"]["container"] in {one["name"] for one in containers_of(pod_of(objects))}
        assert "cpu" in pod_of(objects)["containers"][0]["resources"]["requests"]
        assert calls["pods"] == {"metric": {"name": CALLS}, "target": {"type": "AverageValue", "averageValue": "40"}}

    @pytest.mark.parametrize(("off", "left"), [("cpuUtilization", ["Pods"]), ("callsInFlight", ["ContainerResource"])])
    def test_metric_of_zero_is_none(self, off: str, left: list[str]) -> None:
        spec = autoscaler_of(render({"autoscaling": {off: 0}}, scenario=FLEET))

        assert [metric["type"] for metric in spec["metrics"]] == left

    def test_takes_away_slowly(self) -> None:
        """One pod at a time, none before the one before has ended."""
        objects = render(scenario=FLEET)
        down = autoscaler_of(objects)["behavior"]["scaleDown"]

        (policy,) = down["policies"]
        assert (policy["type"], policy["value"]) == ("Pods", 1)
        assert policy["periodSeconds"] > pod_of(objects)["terminationGracePeriodSeconds"]
        assert down["stabilizationWindowSeconds"] >= 300

    def test_metric_is_one_of_the_service(self) -> None:
        """A name that nobody exposes would leave the number of instances as it is, silently."""
        assert metric_names.SERIES[CALLS] == frozenset()
        for file in ("values.yaml", "README.md"):
            assert CALLS in (CHART / file).read_text(encoding="utf-8")


class TestDisruptionBudget:
    @pytest.mark.parametrize(("replicas", "budgets"), [(0, 0), (1, 0), (2, 1)])
    def test_is_for_several_instances(self, replicas: int, budgets: int) -> None:
        objects = render({"replicas": replicas})

        assert len(of_kind(objects, "PodDisruptionBudget")) == budgets
        assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == replicas

    @pytest.mark.parametrize(("fewest", "budgets"), [(1, 0), (2, 1)])
    def test_counts_on_the_fewest_that_an_autoscaler_leaves(self, fewest: int, budgets: int) -> None:
        """Whatever `replicas` says."""
        objects = render({"replicas": 3 - fewest, "autoscaling": {"enabled": True, "minReplicas": fewest}})

        assert len(of_kind(objects, "PodDisruptionBudget")) == budgets
