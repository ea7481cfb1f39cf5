"""Rules of ours that neither Helm nor Kubernetes would enforce."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from payorch_server import config

from chart.rendering import CHART, SCENARIOS, ChartError, config_of, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
PRODUCTION = CHART / "ci/production-values.yaml"
MESH = CHART / "ci/mesh-values.yaml"


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the specs of all pods, those of tests as well."""
    return [pod_of(objects), *(one["spec"] for one in of_kind(objects, "Pod"))]


@every_scenario
class TestPods:
    def test_are_restricted(self, scenario: Path) -> None:
        """They pass the `restricted` level of Pod Security, and their root cannot be written to."""
        found = pods(render(scenario=scenario))

        assert len(found) == 2
        for pod in found:
            security = pod["securityContext"]
            assert security["runAsNonRoot"] is True
            assert security["runAsUser"] == security["runAsGroup"] == 10001
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert {"requests", "limits"} <= set(container["resources"])

    def test_have_no_token_of_kubernetes(self, scenario: Path) -> None:
        objects = render(scenario=scenario)

        assert [pod["automountServiceAccountToken"] for pod in pods(objects)] == [False, False]
        assert [one["automountServiceAccountToken"] for one in of_kind(objects, "ServiceAccount")] == [False]

    def test_get_no_variables_of_services(self, scenario: Path) -> None:
        assert [pod["enableServiceLinks"] for pod in pods(render(scenario=scenario))] == [False, False]

    def test_outlive_the_drain(self, scenario: Path) -> None:
        """Kubernetes kills only after the drain, the longest call and the flush."""
        objects = render(scenario=scenario)
        rpc = config_of(objects)["rpc"]

        grace = pod_of(objects)["terminationGracePeriodSeconds"]

        assert grace >= rpc["drain_wait_s"] + max(55, rpc["drain_grace_s"]) + 15
        assert isinstance(grace, int)

    def test_listen_where_probes_and_services_look(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        container = pod_of(objects)["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        document = config_of(objects)

        assert {
            name: path["httpGet"]["port"] for name, path in container.items() if name.endswith("Probe")
        } == dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"), "admin")
        assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert config.split_address(document["rpc"]["listen"]) in {("0.0.0.0", ports["grpc"]), ("::", ports["grpc"])}  # noqa: S104 - expected
        assert config.split_address(document["admin"]["listen"]) == ("0.0.0.0", ports["admin"])  # noqa: S104
        for service in of_kind(objects, "Service"):
            if service["metadata"]["name"].endswith("-metrics"):
                continue  # For Prometheus, not for callers; test_monitoring.py has it.
            assert [(port["targetPort"], port["port"]) for port in service["spec"]["ports"]] == [
                ("grpc", ports["grpc"])
            ]

    def test_of_the_service_and_only_they_are_selected(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        deployment = of_kind(objects, "Deployment")[0]["spec"]
        served = deployment["template"]["metadata"]["labels"].items()
        tested = of_kind(objects, "Pod")[0]["metadata"]["labels"].items()
        selectors = [
            deployment["selector"]["matchLabels"],
            *(one["spec"]["selector"] for one in of_kind(objects, "Service")),
        ]
        selectors += [one["spec"]["podSelector"]["matchLabels"] for one in of_kind(objects, "NetworkPolicy")]
        selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind(objects, "PodDisruptionBudget")]

        for selector in selectors:
            assert selector.items() <= served
            assert not selector.items() <= tested
            assert not any("version" in label or "chart" in label for label in selector)

    def test_get_secrets_by_reference_only(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        container = pod_of(objects)["containers"][0]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}

        assert of_kind(objects, "Secret") == []
        assert "env" not in container
        assert mounts["client-secrets"]["readOnly"] is True


class TestValues:
    def test_change_of_what_is_read_once_rolls_the_pods(self) -> None:
        def checksum(values: dict[str, Any]) -> str:
            template = of_kind(render(values), "Deployment")[0]["spec"]["template"]
            return str(template["metadata"]["annotations"]["checksum/config"])

        assert checksum({}) == checksum({"podLabels": {"a": "b"}})
        assert checksum({}) == checksum(
            {"config": {"routing": [{"name": "x", "to": {"tenant": "default", "gateway": "cards"}}]}}
        )
        assert checksum({}) != checksum({"config": {"rpc": {"reflection": False}}})

    def test_digest_wins_over_the_tag(self) -> None:
        digest = "sha256:" + "a" * 64

        def image(**values: str) -> str:
            return str(pod_of(render({"image": values}))["containers"][0]["image"])

        version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        assert image() == f"payorch:{version}"
        assert image(tag="x") == "payorch:x"
        assert image(tag="x", digest=digest) == f"payorch@{digest}"

    @pytest.mark.parametrize(("replicas", "budgets"), [(0, 0), (1, 0), (2, 1)])
    def test_several_instances_have_a_disruption_budget(self, replicas: int, budgets: int) -> None:
        objects = render({"replicas": replicas})

        assert len(of_kind(objects, "PodDisruptionBudget")) == budgets
        assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == replicas

    def test_network_is_closed_unless_switched_off(self) -> None:
        (policy,) = of_kind(render(), "NetworkPolicy")

        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        (ingress,) = policy["spec"]["ingress"]
        assert all(peer for peer in ingress["from"])
        assert [port["port"] for port in ingress["ports"]] == ["grpc"]
        assert of_kind(render({"networkPolicy": {"enabled": False}}), "NetworkPolicy") == []

    @pytest.mark.parametrize(
        ("values", "message", "reason"),
        [
            ({"replica": 2}, "replica", "a misspelt key"),
            ({"replicas": "2"}, "replicas", "a wrong type"),
            ({"config": {"rpc": {"max_request_byte": 1}}}, "max_request_byte", "a misspelt setting of the service"),
            ({"config": {"rpc": {"listen": "127.0.0.1:50051"}}}, "listen", "nobody could reach the pod"),
            ({"config": {"rpc": {"drain_wait_s": None}}}, "drain_wait_s", "the grace period needs it"),
            (
                {"config": {"tenants": {"default": {"client_secret_file": "/x"}}}},
                "client_secret_file",
                "the chart sets the files",
            ),
            ({"config": {"tenants": {"b": {"client_id": "c"}}}}, "clientSecrets.b is missing", "no secret"),
            ({"clientSecrets": {"b": {"name": "some", "key": "some"}}}, "config.tenants.b is missing", "no tenant"),
            (
                {"replicas": 2, "config": {"store": {"kind": "memory", "url": ""}}},
                "replicas: more than one needs config.store.kind redis",
                "replicas that know nothing of each other",
            ),
            ({"networkPolicy": {"callers": []}}, "callers", "an empty list would let everybody in"),
            ({"image": {"digest": "latest"}}, "digest", "not a digest"),
            ({"serviceMonitor": {"scrapers": []}}, "scrapers", "an empty list would let everybody in"),
            ({"serviceMonitor": {"interval": "5m"}}, "interval", "alerts would see no rates"),
            ({"docsUrl": 'https://x/"'}, "docsUrl", "a quote would end the text it is put into"),
        ],
    )
    def test_mistake_is_refused_by_name(self, values: dict[str, Any], message: str, reason: str) -> None:
        with pytest.raises(ChartError, match=message):
            render(values)


def test_service_would_refuse_variables_of_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for `enableServiceLinks: false`: with it on, no pod would start beside a Service named payorch."""
    file = tmp_path / "payorch.yaml"
    file.write_text("tenants: {}\nrouting: []\n")
    monkeypatch.setenv("PAYORCH_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(config.ConfigError, match="PAYORCH_SERVICE_HOST: no such setting"):
        config.load(file)
