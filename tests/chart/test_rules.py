"""Rules of ours that neither Helm nor Kubernetes would enforce."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from payorch_server import config
from payorch_server.runtime.listen_address import split_address

from chart.rendering import (
    CHART,
    SCENARIOS,
    ChartError,
    config_of,
    containers_of,
    of_component,
    of_kind,
    pod_of,
    render,
    render_text,
)

pytestmark = pytest.mark.timeout(60)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
MEMORY = {"store": {"kind": "memory", "url": ""}, "accept_memory_store": True, "intents": {"keys": []}}
SOME_ID = "11111111-1111-1111-1111-111111111111"
DISCOVERED = {"issuer": "https://id.example", "audience": "payorch", "discovery": True}
MTLS = CHART / "ci/mtls-values.yaml"
OF_CALLERS = ("pay-payorch", "pay-payorch-headless")
"""The Services of the gRPC port; the others are for scrapes, operators and tests."""


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the specs of all pods, those of jobs and tests as well."""
    makers = of_kind(objects, "Deployment") + of_kind(objects, "Job")
    return [one["spec"]["template"]["spec"] for one in makers] + [one["spec"] for one in of_kind(objects, "Pod")]


def ours(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a pod that are not added by values."""
    return [container for container in containers_of(pod) if "/payorch" in f"/{container['image']}"]


@every_scenario
class TestPods:
    def test_are_restricted(self, scenario: Path) -> None:
        """They pass the `restricted` level of Pod Security, and their root cannot be written to."""
        found = pods(render(scenario=scenario))
        openshift = scenario.name.startswith("openshift")

        assert len(found) >= 2
        for pod in found:
            users = {} if openshift else {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
            assert pod["securityContext"] == {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
                **users,
            }
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
            for container in ours(pod):
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert {"requests", "limits"} <= set(container["resources"])

    def test_have_no_token_of_kubernetes(self, scenario: Path) -> None:
        objects = render(scenario=scenario)

        assert {pod["automountServiceAccountToken"] for pod in pods(objects)} == {False}
        assert {one["automountServiceAccountToken"] for one in of_kind(objects, "ServiceAccount")} == {False}

    def test_get_no_variables_of_services(self, scenario: Path) -> None:
        assert {pod["enableServiceLinks"] for pod in pods(render(scenario=scenario))} == {False}

    def test_outlive_the_drain(self, scenario: Path) -> None:
        """Kubernetes kills only after the drain, the longest call and the flush; SIGTERM begins it, not a preStop."""
        objects = render(scenario=scenario)
        listener = config_of(objects)["grpc"]

        grace = pod_of(objects)["terminationGracePeriodSeconds"]
        assert not any("lifecycle" in container for container in containers_of(pod_of(objects)))

        assert grace >= listener["drain_wait_s"] + max(55, listener["drain_grace_s"]) + 15
        assert isinstance(grace, int)

    def test_listen_where_probes_and_services_look(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        container = pod_of(objects)["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        document = config_of(objects)

        assert len(ports.values()) == len(set(ports.values()))
        assert {
            name: path["httpGet"]["port"] for name, path in container.items() if name.endswith("Probe")
        } == dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"), "admin")
        assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert split_address(document["grpc"]["listen"]) in {("0.0.0.0", ports["grpc"]), ("::", ports["grpc"])}  # noqa: S104 - expected
        assert split_address(document["admin"]["listen"]) == ("0.0.0.0", ports["admin"])  # noqa: S104
        protocol = "https" if document["grpc"].get("tls") else "kubernetes.io/h2c"
        for service in of_kind(objects, "Service"):
            if service["metadata"]["name"] not in OF_CALLERS:
                continue
            assert [(port["targetPort"], port["port"], port["appProtocol"]) for port in service["spec"]["ports"]] == [
                ("grpc", ports["grpc"], protocol)
            ]

    def test_are_selected_by_their_own_component_alone(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        for deployment in of_kind(objects, "Deployment"):
            component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
            ours = of_component(objects, component)
            own = deployment["spec"]["template"]["metadata"]["labels"].items()
            others = [one["metadata"]["labels"].items() for one in of_kind(objects, "Pod")]
            others += [
                one["spec"]["template"]["metadata"]["labels"].items()
                for one in of_kind(objects, "Deployment")
                if one is not deployment
            ]
            selectors = [
                deployment["spec"]["selector"]["matchLabels"],
                *(one["spec"]["selector"] for one in of_kind(ours, "Service")),
            ]
            selectors += [one["spec"]["podSelector"]["matchLabels"] for one in of_kind(ours, "NetworkPolicy")]
            selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind(ours, "PodDisruptionBudget")]
            selectors += [
                one["spec"]["endpointSelector"]["matchLabels"] for one in of_kind(ours, "CiliumNetworkPolicy")
            ]

            for selector in selectors:
                assert selector.items() <= own
                assert not any(selector.items() <= labels for labels in others)
                assert not any("version" in label or "chart" in label for label in selector)

    def test_get_secrets_by_reference_only(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        container = pod_of(objects)["containers"][0]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}

        assert of_kind(objects, "Secret") == []
        assert not any("secretKeyRef" in variable.get("valueFrom", {}) for variable in container.get("env", []))
        assert mounts["client-secrets"]["readOnly"] is True


class TestTls:
    """On the gRPC port it changes nothing for the kubelet, and `helm test` brings what is asked for."""

    def test_leaves_the_probes_as_they_are(self) -> None:
        def probes(objects: list[dict[str, Any]]) -> dict[str, Any]:
            return {k: v for k, v in pod_of(objects)["containers"][0].items() if k.endswith("Probe")}

        assert probes(render(scenario=MTLS)) == probes(render())
        assert len(probes(render())) == 3

    def test_is_spoken_by_the_test_pod(self) -> None:
        (pod,) = of_kind(render(scenario=MTLS), "Pod")
        (container,) = pod["spec"]["containers"]

        parsed = healthcheck(container["args"])
        assert parsed == {
            "address": "pay-payorch:50051",
            "ca-file": "/etc/payorch/tls/ca.crt",
            "certificate-file": "/etc/payorch/tls/tls.crt",
            "key-file": "/etc/payorch/tls/tls.key",
        }
        (mount,) = container["volumeMounts"]
        (volume,) = pod["spec"]["volumes"]
        assert (mount["name"], mount["mountPath"]) == (volume["name"], "/etc/payorch/tls")
        assert volume["secret"]["secretName"] == "payorch-tls"

    def test_is_not_spoken_in_plaintext(self) -> None:
        (pod,) = of_kind(render(), "Pod")

        assert healthcheck(pod["spec"]["containers"][0]["args"]) == {"address": "pay-payorch:50051"}


def healthcheck(arguments: list[str]) -> dict[str, str]:
    """Return the options of the image's own command."""
    command, *options = arguments
    assert command == "healthcheck"
    return dict(option.removeprefix("--").split("=", 1) for option in options)


class TestValues:
    def test_change_of_what_is_read_once_rolls_the_pods(self) -> None:
        def checksum(values: dict[str, Any]) -> str:
            template = of_kind(render(values), "Deployment")[0]["spec"]["template"]
            return str(template["metadata"]["annotations"]["checksum/config"])

        assert checksum({}) == checksum({"podLabels": {"a": "b"}})
        assert checksum({}) == checksum(
            {"config": {"routing": [{"name": "x", "to": {"tenant": "default", "gateway": "cards"}}]}}
        )
        assert checksum({}) != checksum({"config": {"grpc": {"reflection": False}}})

    def test_roll_waits_until_clients_have_found_a_new_pod(self) -> None:
        spec = of_kind(render(), "Deployment")[0]["spec"]

        assert {"maxUnavailable": 0, "maxSurge": 1} == spec["strategy"]["rollingUpdate"]
        assert spec["minReadySeconds"] > 30, "gRPC asks DNS no sooner than that"
        assert of_kind(render({"minReadySeconds": 0}), "Deployment")[0]["spec"]["minReadySeconds"] == 0

    def test_memory_store_never_has_two_pods(self) -> None:
        """Not even while one replaces the other."""
        memory = {"config": {"accept_memory_store": True, "store": {"kind": "memory", "url": ""}}}

        assert of_kind(render(memory), "Deployment")[0]["spec"]["strategy"] == {"type": "Recreate"}

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

    @pytest.mark.parametrize("release", ["1234", "0x10", "null", "1e3"])
    def test_release_may_have_a_name_that_yaml_reads_otherwise(self, release: str) -> None:
        for one in yaml.safe_load_all(render_text(release=release)):
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == release

    @pytest.mark.parametrize(
        ("values", "message", "reason"),
        [
            ({"config": {"tenants": {"b": {"client_id": SOME_ID}}}}, "clientSecrets.b is missing", "no secret"),
            ({"clientSecrets": {"b": {"name": "some", "key": "some"}}}, "config.tenants.b is missing", "no tenant"),
            (
                {"config": {"routing": [{"name": "x", "to": {"tenant": "defualt", "gateway": "g"}}]}},
                "config.routing[0].to.tenant: config.tenants has no defualt; did you mean default?",
                "no pod would start",
            ),
            (
                {"config": {"routing": [{"name": "x", "to": {"tenant": "north-west", "gateway": "g"}}]}},
                "config.routing[0].to.tenant: config.tenants has no north-west\n",
                "none is near",
            ),
            (
                {"replicas": 2, "config": MEMORY},
                "replicas: more than one needs config.store.kind redis",
                "replicas that know nothing of each other",
            ),
            (
                {"autoscaling": {"enabled": True}, "config": MEMORY},
                "autoscaling.enabled: needs config.store.kind redis",
                "replicas that know nothing of each other",
            ),
            (
                {"autoscaling": {"enabled": True, "minReplicas": 7}},
                "autoscaling.maxReplicas: 6 is smaller than minReplicas, 7",
                "no number is right",
            ),
            (
                {"autoscaling": {"enabled": True, "cpuUtilization": 0}},
                "autoscaling.enabled: needs cpuUtilization or callsInFlight",
                "nothing to go by",
            ),
            (
                {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}},
                "resources.requests.cpu: autoscaling.cpuUtilization is a share of it",
                "the autoscaler would not know what 100 percent is",
            ),
            (
                {"config": {"diagnostics": {"listen": "0.0.0.0:50052"}}},
                "networkPolicy.operators: must name who",
                "an empty list would let everybody in",
            ),
            (
                {"config": {"diagnostics": {"listen": "127.0.0.1:9464"}}},
                "config.diagnostics.listen: port 9464 is that of config.admin.listen",
                "two listeners on one port",
            ),
            (
                {"config": {"grpc": {"tls": {"certificate_file": "/c", "key_file": "/k"}}}},
                "tlsSecret: config.grpc.tls needs it",
                "no pod would start",
            ),
            (
                {"podLabels": {"app.kubernetes.io/component": "x"}},
                "podLabels: app.kubernetes.io/component is the chart's own",
                "no Service would find the pods",
            ),
            (
                {"podAnnotations": {"checksum/config": "x"}},
                "podAnnotations: checksum/config is the chart's own",
                "pods would not roll when what they read once has changed",
            ),
            (
                {"config": {"admin": {"listen": "0.0.0.0:65536"}}},
                "config.admin.listen: there is no port 65536",
                "no pod would start",
            ),
            ({"tlsSecret": "x"}, "config.grpc.tls: is missing", "plaintext where TLS is expected"),
            ({"fleetSecret": ""}, "fleetSecret: config.intents.keys needs it", "no pod would start"),
            (
                {"config": {"identity": {"jwt": {"own": {"key_set_file": "/k", "issuer": "i", "audience": "a"}}}}},
                "keySetConfigMap: config.identity.jwt.own needs it",
                "no pod would start",
            ),
            (
                {"config": {"identity": {"jwt": {"own": DISCOVERED | {"ca_file": "/etc/payorch/key-set/ca.crt"}}}}},
                "keySetConfigMap: config.identity.jwt.own needs it",
                "no pod would start",
            ),
            (
                {"emulator": {"enabled": True}, "config": {"tenants": {"default": {"environment": "eu_production"}}}},
                "emulator.enabled: tenant default is of eu_production",
                "nothing that an emulator says about money is true",
            ),
            ({"emulator": {"enabled": True}, "replicas": 2}, "emulator.enabled: needs replicas 1", "two memories"),
            (
                {"emulator": {"enabled": True}, "autoscaling": {"enabled": True}},
                "emulator.enabled: needs replicas 1 without autoscaling",
                "two memories",
            ),
            (
                {"emulator": {"enabled": True, "port": 50051}},
                "emulator.port: port 50051 is that of config.grpc.listen",
                "two listeners on one port",
            ),
        ],
    )
    def test_values_that_do_not_fit_are_refused_by_name(
        self, values: dict[str, Any], message: str, reason: str
    ) -> None:
        """What each key by itself may be is in test_broken_values.py."""
        with pytest.raises(ChartError, match=re.escape(message)):
            render(values)


def test_service_would_refuse_variables_of_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for `enableServiceLinks: false`: with it on, no pod would start beside a Service named payorch."""
    file = tmp_path / "payorch.yaml"
    file.write_text("tenants: {}\nrouting: []\n")
    monkeypatch.setenv("PAYORCH_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(config.ConfigError, match="PAYORCH_SERVICE_HOST: no such setting"):
        config.load(file)
