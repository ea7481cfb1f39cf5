"""Dashboards, alerts and scrapes, whose kinds no schema of Kubernetes describes: what their readers want of them."""

import json
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
MONITORED = CHART / "ci/monitored-values.yaml"
DOCS = "https://docs.example/payorch/"


def dashboards_of(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ConfigMaps that a sidecar of Grafana would load."""
    return [one for one in of_kind(objects, "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]


class TestByDefault:
    def test_nothing_is_installed(self) -> None:
        """A cluster without the operator refuses its kinds."""
        objects = render()

        assert {"PrometheusRule", "ServiceMonitor"} & {one["kind"] for one in objects} == set()
        assert dashboards_of(objects) == []
        assert len(of_kind(objects, "Service")) == 2


class TestDashboards:
    def test_are_those_of_the_files(self) -> None:
        """Only the links lead elsewhere."""
        found = {
            name: json.loads(text)
            for one in dashboards_of(render(scenario=MONITORED))
            for name, text in one["data"].items()
        }

        files = {path.name: path.read_text(encoding="utf-8") for path in (CHART / "dashboards").glob("*.json")}
        assert len(files) == 5
        assert {f"payorch-{name}": json.loads(text.replace("docs/", DOCS)) for name, text in files.items()} == found

    def test_have_the_labels_that_are_looked_for(self) -> None:
        for one in dashboards_of(render(scenario=MONITORED)):
            labels = one["metadata"]["labels"]

            assert (labels["grafana_dashboard"], labels["grafana_folder"]) == ("1", "payments")


class TestAlerts:
    def test_are_those_of_the_files(self) -> None:
        """Prometheus' templates in them are not Helm's; only the links lead elsewhere."""
        (rule,) = of_kind(render(scenario=MONITORED), "PrometheusRule")

        groups: list[Any] = []
        for path in sorted((CHART / "alerts").glob("*.yaml")):
            groups += yaml.safe_load(path.read_text(encoding="utf-8").replace("docs/", DOCS))["groups"]
        assert rule["apiVersion"] == "monitoring.coreos.com/v1"
        assert rule["metadata"]["labels"]["release"] == "kube-prometheus"
        assert rule["spec"] == {"groups": groups}

    def test_name_the_files_where_no_address_is_given(self) -> None:
        (rule,) = of_kind(render({"alerts": {"enabled": True}}), "PrometheusRule")

        links = {
            one["annotations"]["runbook_url"] for g in rule["spec"]["groups"] for one in g["rules"] if "alert" in one
        }
        assert all(link.startswith("docs/runbooks.md#") for link in links)


class TestScrapes:
    def test_go_to_the_admin_port_of_every_instance(self) -> None:
        """The monitor selects one Service, which selects the pods, ready or not."""
        objects = render(scenario=MONITORED)
        (monitor,) = of_kind(objects, "ServiceMonitor")
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        chosen = [one for one in of_kind(objects, "Service") if wanted <= one["metadata"]["labels"].items()]
        ports = {port["name"]: port["containerPort"] for port in pod_of(objects)["containers"][0]["ports"]}

        (service,) = chosen
        (port,) = service["spec"]["ports"]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert (port["name"], port["port"], port["targetPort"]) == ("admin", ports["admin"], "admin")
        assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("admin", "/metrics", "15s")
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert service["spec"]["clusterIP"] == "None"
        assert monitor["metadata"]["labels"]["release"] == "kube-prometheus"

    def test_are_let_in_and_nobody_else(self) -> None:
        (policy,) = of_kind(render(scenario=MONITORED), "NetworkPolicy")

        calls, scrapes = policy["spec"]["ingress"]
        assert [port["port"] for port in calls["ports"]] == ["grpc"]
        assert [port["port"] for port in scrapes["ports"]] == ["admin"]
        assert scrapes["from"] == yaml.safe_load((CHART / "values.yaml").read_text())["serviceMonitor"]["scrapers"]
