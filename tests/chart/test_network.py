"""Who reaches the pods, and whom the pods reach."""

import ipaddress
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
FLEET = CHART / "ci/fleet-values.yaml"
EMULATOR = CHART / "ci/emulator-values.yaml"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]


def policy_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the only NetworkPolicy says."""
    (policy,) = of_kind(objects, "NetworkPolicy")
    spec: dict[str, Any] = policy["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    return spec


def rules(spec: dict[str, Any], direction: str) -> list[tuple[list[Any], list[Any]]]:
    """Return ports and peers of every rule."""
    peers = {"ingress": "from", "egress": "to"}[direction]
    return [([port["port"] for port in rule["ports"]], rule[peers]) for rule in spec[direction]]


class TestCallers:
    def test_reach_the_grpc_port_alone(self) -> None:
        (rule,) = rules(policy_of(render()), "ingress")

        ports, (test, *callers) = rule
        assert ports == ["grpc"]
        assert callers == DEFAULTS["callers"]
        assert test["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"

    def test_are_not_asked_for_where_the_policy_is_off(self) -> None:
        objects = render({"networkPolicy": {"enabled": False, "ciliumHostNames": ["rest.zuora.com"]}})

        assert {"NetworkPolicy", "CiliumNetworkPolicy"} & {one["kind"] for one in objects} == set()


class TestEgress:
    def test_goes_to_names_zuora_and_redis_alone(self) -> None:
        egress = DEFAULTS["egress"]

        assert rules(policy_of(render()), "egress") == [
            ([53, 53], egress["dns"]),
            ([443], [{"ipBlock": block} for block in egress["zuora"]]),
            ([6379], egress["redis"]),
        ]

    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            ("169.254.169.254", "metadata of most clouds"),
            ("100.100.100.200", "metadata of another"),
            ("fd00:ec2::254", "metadata over IPv6"),
            ("10.96.0.1", "a cluster's own API"),
            ("172.20.0.1", "a cluster's own API"),
            ("192.168.1.1", "somebody's network"),
            ("fe80::1", "the link"),
            ("64:ff9b::a9fe:a9fe", "metadata, by way of NAT64"),
        ],
    )
    def test_does_not_go_to_machines_nearby(self, address: str, reason: str) -> None:
        assert not within(address, DEFAULTS["egress"]["zuora"])

    @pytest.mark.parametrize("address", ["8.8.8.8", "203.0.113.7", "2001:4860::1"])
    def test_goes_to_public_addresses(self, address: str) -> None:
        assert within(address, DEFAULTS["egress"]["zuora"])

    def test_goes_where_values_say(self) -> None:
        peer = {"ipBlock": {"cidr": "10.1.2.3/32"}}
        egress = {"dns": [peer], "zuora": [{"cidr": "198.51.100.0/24"}], "redis": [peer]}
        spec = policy_of(render({"networkPolicy": {"egress": egress}}))

        assert [peers for _, peers in rules(spec, "egress")] == [
            [peer],
            [{"ipBlock": {"cidr": "198.51.100.0/24"}}],
            [peer],
        ]

    @pytest.mark.parametrize(
        ("url", "port"),
        [("redis://redis", 6379), ("rediss://redis:6380", 6380), ("redis://[fd00::1]:7000/1", 7000)],
    )
    def test_goes_to_the_port_of_redis(self, url: str, port: int) -> None:
        spec = policy_of(render({"config": {"store": {"url": url}}}))

        assert rules(spec, "egress")[-1][0] == [port]

    def test_goes_nowhere_but_to_names_with_an_emulator(self) -> None:
        """Which is in the pod itself; nothing can leave for Zuora by mistake."""
        spec = policy_of(render(scenario=EMULATOR))

        assert [ports for ports, _ in rules(spec, "egress")] == [[53, 53]]
        assert (
            of_kind(render({"networkPolicy": {"ciliumHostNames": ["x"]}}, scenario=EMULATOR), "CiliumNetworkPolicy")
            == []
        )


def within(address: str, blocks: list[dict[str, Any]]) -> bool:
    """Whether a NetworkPolicy with these blocks lets the address pass."""
    one = ipaddress.ip_address(address)
    return any(
        one in ipaddress.ip_network(block["cidr"])
        and not any(one in ipaddress.ip_network(apart) for apart in block["except"])
        for block in blocks
    )


class TestCilium:
    def test_knows_zuora_by_name(self) -> None:
        """NetworkPolicies add up, so the ranges of addresses must be gone."""
        objects = render(scenario=FLEET)
        (cilium,) = of_kind(objects, "CiliumNetworkPolicy")

        names, hosts = cilium["spec"]["egress"]
        assert [ports for ports, _ in rules(policy_of(objects), "egress")] == [[6380]]
        assert names["toEndpoints"][0]["matchLabels"] == {
            "k8s:io.kubernetes.pod.namespace": "dns",
            "k8s:k8s-app": "coredns",
        }
        assert names["toPorts"][0]["rules"] == {"dns": [{"matchPattern": "*"}]}
        assert hosts["toFQDNs"] == [{"matchName": "rest.sandbox.na.zuora.com"}]
        assert hosts["toPorts"] == [{"ports": [{"port": "443", "protocol": "TCP"}]}]

    def test_leaves_nothing_to_the_other_policy_without_redis(self) -> None:
        memory = {"store": {"kind": "memory", "url": ""}, "accept_memory_store": True}
        spec = policy_of(render({"config": memory, "networkPolicy": {"ciliumHostNames": ["rest.zuora.com"]}}))

        assert spec["egress"] == []


class TestDiagnostics:
    def test_have_a_port_a_service_and_peers_of_their_own(self) -> None:
        objects = render(scenario=FLEET)
        ports = {port["name"]: port["containerPort"] for port in pod_of(objects)["containers"][0]["ports"]}
        (service,) = [one for one in of_kind(objects, "Service") if one["metadata"]["name"].endswith("-diagnostics")]
        calls, operators = rules(policy_of(objects), "ingress")

        assert ports["diagnostics"] == 50052
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(50052, "diagnostics")]
        assert calls[0] == ["grpc"]
        assert operators == (
            ["diagnostics"],
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "operations"}}}],
        )

    @pytest.mark.parametrize("listen", ["", "127.0.0.1:50052", "[::1]:50052"])
    def test_have_none_where_no_other_pod_reaches_them(self, listen: str) -> None:
        objects = render({"config": {"diagnostics": {"listen": listen}}})

        assert len(of_kind(objects, "Service")) == 2
        assert [port["name"] for port in pod_of(objects)["containers"][0]["ports"]] == ["grpc", "admin"]
        assert len(policy_of(objects)["ingress"]) == 1
