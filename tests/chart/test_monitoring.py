"""Dashboards, alerts and scrapes, whose kinds no schema of Kubernetes describes: what their readers want of them."""

import json
import re
from typing import Any

import pytest
import yaml
from payorch_server.telemetry.instruments import BUCKETS_S

from chart.rendering import CHART, ChartError, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
MONITORED = CHART / "ci/monitored-values.yaml"
OTHERWISE = CHART / "ci/monitored-otherwise-values.yaml"
THRESHOLDS: dict[str, str] = yaml.safe_load((CHART / "alert-thresholds.yaml").read_text())
DOCS = "https://docs.example/payorch/"


def dashboards_of(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ConfigMaps that a sidecar of Grafana would load."""
    return [one for one in of_kind(objects, "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]


def alerts_of(rule: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return an alert of each name."""
    return {found["alert"]: found for group in rule["spec"]["groups"] for found in group["rules"] if "alert" in found}


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

    def test_have_the_label_and_the_folder_that_are_looked_for(self) -> None:
        """The sidecar of Grafana reads the folder from an annotation."""
        for found in dashboards_of(render(scenario=MONITORED)):
            metadata = found["metadata"]

            assert (metadata["labels"]["grafana_dashboard"], metadata["namespace"]) == ("1", "monitoring")
            assert metadata["annotations"] == {"grafana_folder": "payments"}

    def test_have_the_objectives_of_the_values(self) -> None:
        """In the colours of the panels and in their descriptions."""
        changed = {
            one["metadata"]["name"]: text
            for one in dashboards_of(render({"dashboards": {"enabled": True}}, scenario=OTHERWISE))
            for text in one["data"].values()
        }
        (overview,) = (json.loads(text) for name, text in changed.items() if name.endswith("-dashboard-overview"))
        panels = {panel["title"]: panel for panel in overview["panels"]}
        steps = {
            title: [step["value"] for step in panels[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]]
            for title in ("Availability, last day", "Latency, 95th percentile", "Attempts at Zuora, 95th percentile")
        }

        assert steps == {
            "Availability, last day": [None, 0.998, 0.999],
            "Latency, 95th percentile": [None, 1, 5],
            "Attempts at Zuora, 95th percentile": [None, 2.5, 5],
        }
        assert "the objective is 99.9 %." in panels["Availability, last day"]["description"]
        assert "95 % within 1 s for CreateSession, and within 5 s" in panels["Latency, 95th percentile"]["description"]

    def test_have_no_link_into_the_blue(self) -> None:
        """Grafana would look for docs/ at its own address."""
        texts = [
            text
            for found in dashboards_of(render({"dashboards": {"enabled": True}}))
            for text in found["data"].values()
        ]

        assert len(texts) == 5
        assert not any("](docs/" in text for text in texts)
        assert all(json.loads(text) for text in texts)
        assert any("What to do: docs/runbooks.md#payorchoutcomesunsettled" in text for text in texts)


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

        for found in alerts_of(rule).values():
            assert "runbook_url" not in found["annotations"]
            assert found["annotations"]["runbook"] == f"docs/runbooks.md#{found['alert'].lower()}"

    def test_can_be_left_out_relabelled_and_given_other_thresholds(self) -> None:
        (rule,) = of_kind(render(scenario=OTHERWISE), "PrometheusRule")
        (plain,) = of_kind(render({"alerts": {"enabled": True}}), "PrometheusRule")
        changed, known = alerts_of(rule), alerts_of(plain)

        assert set(known) - set(changed) == {"PayorchSpansDropped"}
        assert all(found["labels"]["team"] == "payments" for found in changed.values())
        assert all(found["annotations"]["dashboard"].startswith("https://") for found in changed.values())
        clock = changed["PayorchClockOffset"]
        assert (clock["for"], clock["labels"]["severity"]) == ("5m", "ticket")
        assert clock["expr"] == known["PayorchClockOffset"]["expr"].replace("> 30", "> 10")
        assert changed["PayorchOutcomesUnsettled"]["expr"].endswith("> 30 * 60")
        assert changed["PayorchNoScrape"]["annotations"]["summary"] == "payorch is gone."
        same = set(changed) - {"PayorchClockOffset", "PayorchOutcomesUnsettled"}
        same -= {name for name in same if "BudgetBurns" in name}
        assert {name: changed[name]["expr"] for name in same} == {name: known[name]["expr"] for name in same}

    def test_links_lead_to_the_runbooks_of_the_values(self) -> None:
        (rule,) = of_kind(render(scenario=OTHERWISE), "PrometheusRule")

        links = {found["annotations"]["runbook_url"] for found in alerts_of(rule).values()}
        assert "https://runbooks.example/payments#payorchclockoffset" in links
        assert rule["metadata"]["namespace"] == "monitoring"

    @pytest.mark.parametrize("name", THRESHOLDS)
    def test_threshold_stands_once_in_the_expression(self, name: str) -> None:
        """Or a value would replace something else."""
        (plain,) = of_kind(
            render({"alerts": {"enabled": True, "rules": {name: {"threshold": 12345}}}}), "PrometheusRule"
        )
        (rule,) = [
            rule
            for path in (CHART / "alerts").glob("*.yaml")
            for group in yaml.safe_load(path.read_text())["groups"]
            for rule in group["rules"]
            if rule.get("alert") == name
        ]

        assert rule["expr"].count(THRESHOLDS[name]) == 1
        assert alerts_of(plain)[name]["expr"].count("12345") == 1
        assert f"| `{name}` | `{THRESHOLDS[name]}` |" in (CHART / "README.md").read_text()

    @pytest.mark.parametrize(
        ("rules", "message"),
        [
            (
                {"PayorchClockOfset": {}},
                "alerts.rules.PayorchClockOfset: there is no such alert; did you mean PayorchClockOffset?",
            ),
            ({"PayorchNoScrape": {"threshold": 1}}, "alerts.rules.PayorchNoScrape.threshold: this alert has none"),
        ],
    )
    def test_change_of_nothing_is_refused(self, rules: dict[str, Any], message: str) -> None:
        with pytest.raises(ChartError, match=re.escape(message)):
            render({"alerts": {"rules": rules}})


class TestObjectives:
    def test_are_those_of_the_values(self) -> None:
        """In every expression and text."""
        (rule,) = of_kind(render(scenario=OTHERWISE), "PrometheusRule")
        text = json.dumps([group for group in rule["spec"]["groups"] if "-slo-" in group["name"]])

        assert re.findall(r"\d \* ([\d.]+)", text) == ["0.001"] * 8 + ["0.05"] * 8
        assert re.findall(r"; ([\d.]+) %", text) == ["0.1"] * 4 + ["5"] * 4
        assert re.findall(r"/(\w+)\W+le=\W+([\d.]+)", text) == [
            *(("CreateSession", "1.0"), ("CreatePaymentMethod", "5.0")),
            *(("DecryptApplePay", "5.0"), ("GetIntent", "0.1")),
        ]

    def test_limits_are_bounds_of_the_buckets(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())
        limits = schema["properties"]["slo"]["properties"]["latencySeconds"]["properties"]

        assert all(tuple(node["enum"]) == BUCKETS_S for node in limits.values())


class TestScrapes:
    @pytest.mark.parametrize(
        ("kind", "endpoints"), [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")]
    )
    def test_are_what_values_say(self, kind: str, endpoints: str) -> None:
        """Of the service and of the hub."""
        switched = {
            "serviceMonitor": {"enabled": kind == "ServiceMonitor"},
            "podMonitor": {"enabled": kind == "PodMonitor"},
        }
        hub = {"enabled": True, "config": {"upc": {"hubs": {"main": {"tenants": ["1"], "credentials": []}}}}}
        objects = render(switched | {"upc": hub}, scenario=OTHERWISE)
        monitors = of_kind(objects, kind)

        assert len(monitors) == 2
        assert len([made for made in objects if "Monitor" in made["kind"]]) == 2
        for monitor in monitors:
            (endpoint,) = monitor["spec"][endpoints]
            assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("1m", "20s")
            assert endpoint["relabelings"] == [{"targetLabel": "cluster", "replacement": "eu-1"}]
            assert endpoint["metricRelabelings"][0]["action"] == "drop"
            assert monitor["metadata"]["namespace"] == "monitoring"
            assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["default"]}
        for policy in of_kind(objects, "NetworkPolicy"):
            assert [port["port"] for port in policy["spec"]["ingress"][1]["ports"]] == ["admin"]

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
                "podMonitor.enabled: serviceMonitor",
            ),
            (
                {"serviceMonitor": {"scrapeTimeout": "50s"}},
                "serviceMonitor.scrapeTimeout: 50s is longer than interval, 30s",
            ),
        ],
    )
    def test_that_prometheus_would_refuse_or_double_are_refused(self, values: dict[str, Any], message: str) -> None:
        with pytest.raises(ChartError, match=re.escape(message)):
            render(values)

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
