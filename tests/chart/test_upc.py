"""The hub beside the service: what it mounts, who reaches it, whom it reaches, and what is refused in a sentence."""

import json
import re
from pathlib import Path
from typing import Any

import metric_names
import pytest
import yaml
from harness.authority import Authority
from harness.keyring import new_key_file
from harness.stack import merged
from payorch_server.cli import main
from payorch_server.runtime.listen_address import split_address

from chart.rendering import (
    CHART,
    ChartError,
    containers_of,
    hub_config_of,
    of_component,
    of_kind,
    pod_of,
    render,
)

pytestmark = pytest.mark.timeout(60)
HUB = CHART / "ci/upc-values.yaml"
INGRESS = CHART / "ci/upc-ingress-values.yaml"
BOTH = pytest.mark.parametrize("scenario", [HUB, INGRESS], ids=lambda path: path.stem)
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
MEMORY = {"store": {"kind": "memory", "url": ""}}
CREDENTIALS = "/etc/payorch/upc"
FOLDERS = (CREDENTIALS, "/etc/payorch/fleet", "/etc/payorch/tls", "/etc/payorch/plugin-tls")


def hub(**values: Any) -> list[dict[str, Any]]:
    """Return the hub's objects of the scenario, with other values of `upc`."""
    return of_component(render({"upc": values}, scenario=HUB), "upc")


def deployment_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the hub's Deployment says."""
    (deployment,) = of_kind(of_component(objects, "upc"), "Deployment")
    spec: dict[str, Any] = deployment["spec"]
    return spec


def rules(objects: list[dict[str, Any]], direction: str) -> list[tuple[list[Any], list[Any]]]:
    """Return ports and peers of every rule of the hub's NetworkPolicy."""
    (policy,) = of_kind(of_component(objects, "upc"), "NetworkPolicy")
    peers = {"ingress": "from", "egress": "to"}[direction]
    return [([port["port"] for port in rule["ports"]], rule[peers]) for rule in policy["spec"][direction]]


class TestByDefault:
    def test_nothing_is_installed(self) -> None:
        assert of_component(render(), "upc") == []
        assert not any("upc" in one["metadata"]["name"] for one in render())

    def test_the_service_stays_as_it_is(self) -> None:
        """Beside a hub it has the same objects."""
        with_hub = [one for one in render({"upc": {"enabled": True}}, scenario=INGRESS) if "-upc" not in name(one)]

        assert with_hub == render()


def name(one: dict[str, Any]) -> str:
    """Return the name of an object."""
    return str(one["metadata"]["name"])


@BOTH
class TestPods:
    def test_hold_no_oauth_secret(self, scenario: Path) -> None:
        """Nor the service's keys; not even their names."""
        ours = json.dumps([one for one in render(scenario=scenario) if "-upc" in name(one)])
        secrets = [secret["name"] for secret in DEFAULTS["clientSecrets"].values()]

        assert not any(f'"{theirs}"' in ours for theirs in [*secrets, DEFAULTS["fleetSecret"]])
        assert "client-secrets" not in ours
        assert "client_id" not in ours

    def test_mount_what_the_configuration_names(self, scenario: Path) -> None:
        """And nothing else, read-only."""
        objects = render(scenario=scenario)
        pod = pod_of(objects, "upc")
        mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
        named = set(re.findall(r"/etc/payorch/[a-z-]+", json.dumps(hub_config_of(objects))))

        assert set(mounts) == named | {"/etc/payorch/config"}
        assert all(mount["readOnly"] for mount in mounts.values())
        assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in mounts.values()}

    def test_read_the_file_that_is_mounted(self, scenario: Path) -> None:
        (container,) = containers_of(pod_of(render(scenario=scenario), "upc"))

        assert container["args"] == ["upc", "serve", "--config", "/etc/payorch/config/hub.yaml"]
        assert "env" not in container

    def test_have_time_to_record_the_last_execution(self, scenario: Path) -> None:
        """Which may take 120 s after the drain; SIGTERM begins it, not a preStop."""
        objects = render(scenario=scenario)
        pod = pod_of(objects, "upc")

        wait_s = hub_config_of(objects)["upc"]["drain_wait_s"]
        assert pod["terminationGracePeriodSeconds"] >= wait_s + 120 + DEFAULTS["shutdownMarginSeconds"]
        assert isinstance(pod["terminationGracePeriodSeconds"], int)
        assert "lifecycle" not in pod["containers"][0]

    def test_listen_where_probes_and_the_service_look(self, scenario: Path) -> None:
        objects = of_component(render(scenario=scenario), "upc")
        (container,) = containers_of(pod_of(objects, "upc"))
        document = hub_config_of(objects)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        service = next(one for one in of_kind(objects, "Service") if name(one) == "pay-payorch-upc")

        for listener, port in (("upc", "https"), ("admin", "admin")):
            address = split_address(document[listener]["listen"])
            assert address
            assert address[1] == ports[port]
        probes = {probe: container[probe]["httpGet"] for probe in container if probe.endswith("Probe")}
        assert probes == {
            "startupProbe": {"path": "/livez", "port": "admin"},
            "livenessProbe": {"path": "/livez", "port": "admin"},
            "readinessProbe": {"path": "/readyz", "port": "admin"},
        }
        protocol = "https" if document["upc"].get("tls") else "http"
        assert [
            (one["name"], one["port"], one["targetPort"], one["appProtocol"]) for one in service["spec"]["ports"]
        ] == [("https", ports["https"], "https", protocol)]

    def test_are_spread_over_nodes(self, scenario: Path) -> None:
        objects = render(scenario=scenario)
        (spread,) = pod_of(objects, "upc")["topologySpreadConstraints"]

        assert spread["labelSelector"] == deployment_of(objects)["selector"]

    def test_get_a_configuration_that_the_hub_accepts(
        self, scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With a file per mounted secret."""
        config = hub_config_of(render(scenario=scenario))
        text = json.dumps(config)
        certificate, authority = Authority().issue("hub.example.com"), Authority()
        files = {"tls.crt": certificate.certificate, "tls.key": certificate.key, "ca.crt": authority.certificate}
        for folder in FOLDERS:
            text = text.replace(f'"{folder}/', f'"{tmp_path}{folder}/')
        for file in re.findall(rf'"({tmp_path}[^"]+)"', text):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_bytes(files.get(Path(file).name, new_key_file().encode()))
        (tmp_path / "hub.yaml").write_text(text)

        status = main(["upc", "check-config", "--config", str(tmp_path / "hub.yaml")])

        assert (status, capsys.readouterr().err) == (0, "")

    def test_get_the_configuration_of_the_values(self, scenario: Path) -> None:
        """No number becomes a float and no word a number on the way."""
        values = merged(DEFAULTS, yaml.safe_load(scenario.read_text()))["upc"]["config"]

        assert hub_config_of(render(scenario=scenario)) == {
            section: {k: v for k, v in content.items() if v is not None} if isinstance(content, dict) else content
            for section, content in values.items()
        }


class TestNetwork:
    def test_lets_in_whom_the_values_list(self) -> None:
        """And the pod of `helm test`, and Prometheus at the admin port."""
        calls, scrapes = rules(hub(), "ingress")

        ports, (test, *callers) = calls
        assert (ports, test["podSelector"]["matchLabels"]["app.kubernetes.io/component"]) == (["https"], "test")
        assert callers == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}]
        assert scrapes == (["admin"], DEFAULTS["serviceMonitor"]["scrapers"])

    def test_lets_out_to_names_redis_plugins_and_the_collector_alone(self) -> None:
        """On the ports that the targets and the url have."""
        found = rules(hub(), "egress")

        assert [ports for ports, _ in found] == [[53, 53], [6380], [50051, 50443], [4317]]
        assert found[0][1] == DEFAULTS["networkPolicy"]["egress"]["dns"]
        assert found[1][1] == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]
        assert found[2][1] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "pay"}}}]

    @BOTH
    def test_does_not_lead_to_zuora_or_the_internet(self, scenario: Path) -> None:
        """Port 443 is not open, and no range of addresses holds a public one."""
        for ports, peers in rules(render(scenario=scenario), "egress"):
            assert 443 not in ports
            assert peers, "an empty list would mean everywhere"
            for peer in peers:
                assert peer.get("ipBlock", {}).get("cidr") not in {
                    block["cidr"] for block in DEFAULTS["networkPolicy"]["egress"]["zuora"]
                }

    def test_opens_no_port_without_gateways(self) -> None:
        hubs = {"main": {"tenants": ["1"], "credentials": []}}
        objects = render({"upc": {"enabled": True, "config": {"upc": {"hubs": hubs}}}})

        assert [ports for ports, _ in rules(objects, "egress")] == [[53, 53], [6379]]

    def test_is_there_only_while_policies_are(self) -> None:
        objects = render({"networkPolicy": {"enabled": False}}, scenario=HUB)

        assert of_kind(objects, "NetworkPolicy") == []


class TestEntrance:
    def test_is_closed_by_default(self) -> None:
        closed = hub(route={"enabled": False})

        assert not {"Ingress", "TLSRoute", "HTTPRoute"} & {one["kind"] for one in closed}

    def test_route_passes_tls_through_to_a_hub_that_speaks_it(self) -> None:
        (route,) = of_kind(hub(), "TLSRoute")

        assert route["spec"] == {
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "hub"}],
            "hostnames": ["hub.example.com"],
            "rules": [{"backendRefs": [{"name": "pay-payorch-upc", "port": 8443}]}],
        }

    def test_route_of_a_gateway_that_ends_tls_waits_as_long_as_zuora(self) -> None:
        route = {"enabled": True, "parents": [{"name": "public"}]}
        objects = of_component(render({"upc": {"route": route}}, scenario=INGRESS), "upc")
        (rule,) = of_kind(objects, "HTTPRoute")[0]["spec"]["rules"]

        assert rule["timeouts"] == {"request": "60s"}
        assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/upc"}}]
        assert rule["backendRefs"] == [{"name": "pay-payorch-upc", "port": 8080}]

    def test_ingress_leads_to_the_hub_alone(self) -> None:
        (ingress,) = of_kind(render(scenario=INGRESS), "Ingress")
        spec = ingress["spec"]

        assert spec["tls"] == [{"hosts": ["hub.example.com"], "secretName": "hub-example-com"}]
        (path,) = spec["rules"][0]["http"]["paths"]
        assert (spec["rules"][0]["host"], path["path"], path["pathType"]) == ("hub.example.com", "/upc", "Prefix")
        assert path["backend"] == {"service": {"name": "pay-payorch-upc", "port": {"name": "https"}}}


class TestInstances:
    def test_are_decided_by_the_autoscaler_alone(self) -> None:
        objects = hub()
        (autoscaler,) = of_kind(objects, "HorizontalPodAutoscaler")
        cpu, calls = autoscaler["spec"]["metrics"]

        assert "replicas" not in deployment_of(objects)
        assert autoscaler["spec"]["scaleTargetRef"]["name"] == "pay-payorch-upc"
        assert cpu["containerResource"]["container"] == pod_of(objects, "upc")["containers"][0]["name"]
        assert metric_names.SERIES[calls["pods"]["metric"]["name"]] == {"hub"}
        (policy,) = autoscaler["spec"]["behavior"]["scaleDown"]["policies"]
        assert policy["periodSeconds"] > pod_of(objects, "upc")["terminationGracePeriodSeconds"]

    @pytest.mark.parametrize(("replicas", "budgets"), [(0, 0), (1, 0), (2, 1)])
    def test_have_a_disruption_budget_where_there_are_several(self, replicas: int, budgets: int) -> None:
        objects = hub(autoscaling={"enabled": False}, replicas=replicas)

        assert len(of_kind(objects, "PodDisruptionBudget")) == budgets
        assert deployment_of(objects)["replicas"] == replicas

    def test_are_replaced_one_by_one_where_they_share_a_store(self) -> None:
        """With a store of their own there are never two, not even for a moment."""
        alone = render(scenario=INGRESS)

        assert deployment_of(hub())["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert deployment_of(alone)["strategy"] == {"type": "Recreate"}

    def test_restart_for_what_they_read_once(self) -> None:
        """They take over hubs and gateways while they run."""

        def checksum(**settings: Any) -> str:
            template = deployment_of(hub(config={"upc": settings}))["template"]
            return str(template["metadata"]["annotations"]["checksum/config"])

        assert checksum() == checksum(hubs={"main": {"enabled": False}})
        assert checksum() == checksum(gateways={"amazon": {"enabled": False}})
        assert checksum() != checksum(keep_results_days=500)


class TestFirstStart:
    def test_is_not_declared_by_default(self) -> None:
        assert of_kind(render(scenario=HUB), "Job") == []

    def test_is_declared_by_an_installation_and_never_by_an_upgrade(self) -> None:
        """Declared again after a loss, it would turn missing records into proof that no money moved."""
        objects = hub(declareFirstStart=True)
        (job,) = of_kind(objects, "Job")
        (container,) = job["spec"]["template"]["spec"]["containers"]

        assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install"
        assert container["args"] == ["upc", "init-store", "--first-start", "--config", "/etc/payorch/config/hub.yaml"]
        assert container["volumeMounts"] == pod_of(objects, "upc")["containers"][0]["volumeMounts"]

    def test_job_reaches_names_and_redis_alone(self) -> None:
        """And is no instance of the hub."""
        objects = hub(declareFirstStart=True)
        labels = of_kind(objects, "Job")[0]["spec"]["template"]["metadata"]["labels"].items()
        policy = next(one for one in of_kind(objects, "NetworkPolicy") if name(one).endswith("-first-start"))["spec"]

        assert policy["podSelector"]["matchLabels"].items() <= labels
        assert policy["ingress"] == []
        assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53], [6380]]
        assert not any(one["spec"]["selector"].items() <= labels for one in of_kind(objects, "Service"))


class TestMonitoring:
    def test_scrapes_the_admin_port_of_every_instance(self) -> None:
        objects = hub()
        (monitor,) = of_kind(objects, "ServiceMonitor")
        wanted = monitor["spec"]["selector"]["matchLabels"].items()

        (service,) = [one for one in of_kind(objects, "Service") if wanted <= one["metadata"]["labels"].items()]
        assert name(service) == "pay-payorch-upc-metrics"
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(9464, "admin")]

    def test_of_the_service_does_not_find_the_hub(self) -> None:
        """Each monitor selects one Service."""
        objects = render(scenario=HUB)
        for monitor in of_kind(objects, "ServiceMonitor"):
            wanted = monitor["spec"]["selector"]["matchLabels"].items()

            assert len([one for one in of_kind(objects, "Service") if wanted <= one["metadata"]["labels"].items()]) == 1


TEXTS = ["1e3", "true", "null", "~", "0x10", 'a: "b" #c', "- x", "{{ .Values }}"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(text: str) -> None:
    """In every place that takes one."""
    values = {
        "credentialsSecret": text,
        "fleetSecret": text,
        "tlsSecret": text,
        "pluginTlsSecret": text,
        "serviceAccount": {"annotations": {"s": text}},
        "ingress": {"enabled": True, "className": text, "annotations": {"a": text}, "tlsSecret": text},
        "route": {"parents": [{"name": text}]},
        "config": {"upc": {"hubs": {"main": {"tenants": [text]}}}},
    }

    objects = hub(**values)

    volumes = [one["secret"]["secretName"] for one in pod_of(objects, "upc")["volumes"] if "secret" in one]
    assert volumes == [text] * 4
    (ingress,) = of_kind(objects, "Ingress")
    assert (ingress["spec"]["ingressClassName"], ingress["metadata"]["annotations"]) == (text, {"a": text})
    assert ingress["spec"]["tls"][0]["secretName"] == text
    assert of_kind(objects, "TLSRoute")[0]["spec"]["parentRefs"] == [{"name": text}]
    assert of_kind(objects, "ServiceAccount")[0]["metadata"]["annotations"] == {"s": text}
    assert hub_config_of(objects)["upc"]["hubs"]["main"]["tenants"] == [text]


@pytest.mark.parametrize(
    ("values", "message", "reason"),
    [
        (
            {"autoscaling": {"enabled": False}, "replicas": 2, "config": MEMORY},
            "upc.replicas: more than one needs upc.config.store.kind redis",
            "replicas that know nothing of each other",
        ),
        (
            {"config": MEMORY},
            "upc.autoscaling.enabled: needs upc.config.store.kind redis",
            "replicas that know nothing of each other",
        ),
        (
            {"autoscaling": {"enabled": False}, "declareFirstStart": True, "config": MEMORY},
            "upc.declareFirstStart: needs upc.config.store.kind redis",
            "the declaration would be lost at once",
        ),
        (
            {"autoscaling": {"minReplicas": 9}},
            "upc.autoscaling.maxReplicas: 4 is smaller than minReplicas, 9",
            "no number is right",
        ),
        (
            {"autoscaling": {"cpuUtilization": 0, "callsInFlight": 0}},
            "upc.autoscaling.enabled: needs cpuUtilization or callsInFlight",
            "nothing to go by",
        ),
        (
            {"resources": {"requests": {"cpu": None}}},
            "upc.resources.requests.cpu: upc.autoscaling.cpuUtilization is a share of it",
            "the autoscaler would not know what 100 percent is",
        ),
        ({"tlsSecret": ""}, "upc.tlsSecret: upc.config.upc.tls needs it", "no pod would start"),
        ({"config": {"upc": {"tls": None}}}, "upc.config.upc.tls: is missing", "plaintext where TLS is expected"),
        (
            {"config": {"upc": {"tls": None}}, "tlsSecret": ""},
            "upc.config.upc.tls: is missing; where a proxy in front ends TLS, set",
            "passwords in plaintext",
        ),
        ({"fleetSecret": ""}, "upc.fleetSecret: upc.config.keys needs it", "no pod would start"),
        (
            {"fleetSecret": "payorch-fleet"},
            "upc.fleetSecret: payorch-fleet holds secrets of the service",
            "the service's keys in a pod that faces the internet",
        ),
        (
            {"credentialsSecret": "payorch-zuora"},
            "upc.credentialsSecret: payorch-zuora holds secrets of the service",
            "an OAuth secret in a pod that faces the internet",
        ),
        (
            {"config": {"admin": {"listen": "0.0.0.0:8443"}}},
            "upc.config.upc.listen: port 8443 is that of upc.config.admin.listen",
            "two listeners on one port",
        ),
        (
            {"config": {"upc": {"listen": "0.0.0.0:65536"}}},
            "upc.config.upc.listen: there is no port 65536",
            "no pod would start",
        ),
        (
            {"config": {"upc": {"gateways": {"amazon": {"target": "dns:///amazon-gateway"}}}}},
            "upc.config.upc.gateways.amazon.target: must end with a port",
            "the NetworkPolicy would not let it pass",
        ),
        ({"host": ""}, "upc.host: upc.route.enabled needs it", "a route for every name"),
        (
            {"host": "", "route": {"enabled": False}, "ingress": {"enabled": True}},
            "upc.host: upc.ingress.enabled needs it",
            "an Ingress for every name",
        ),
        ({"route": {"parents": []}}, "upc.route.parents: must name the Gateway", "a route of no Gateway"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(values: dict[str, Any], message: str, reason: str) -> None:
    """What each key by itself may be is in test_broken_values.py."""
    with pytest.raises(ChartError, match=re.escape(message)):
        hub(**values)


def test_hub_without_an_endpoint_is_refused() -> None:
    """As the chart comes, it knows no tenant and no password."""
    with pytest.raises(ChartError, match=r"upc\.config\.upc\.hubs: must name at least one hub"):
        render({"upc": {"enabled": True}})


def test_values_of_a_hub_that_is_off_are_not_asked_for() -> None:
    assert of_component(render({"upc": {"fleetSecret": "payorch-fleet", "tlsSecret": ""}}), "upc") == []


class TestHelmTest:
    @pytest.mark.parametrize(("scenario", "more"), [(HUB, []), (INGRESS, ["--plaintext"])])
    def test_asks_the_service_of_the_hub_as_it_speaks(self, scenario: Path, more: list[str]) -> None:
        objects = render(scenario=scenario)
        (pod,) = [one for one in of_kind(objects, "Pod") if name(one).startswith("pay-payorch-upc")]
        (container,) = pod["spec"]["containers"]

        port = split_address(hub_config_of(objects)["upc"]["listen"])[1]  # type: ignore[index]  # it is an address
        assert container["args"] == ["upc", "healthcheck", f"--address=pay-payorch-upc:{port}", *more]
        assert "volumeMounts" not in container
