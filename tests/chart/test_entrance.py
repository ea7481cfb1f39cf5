"""Ways in for callers outside of the cluster, and what cert-manager and the External Secrets Operator make."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, KUBERNETES, ChartError, conforms, of_component, of_kind, pod_of, render, render_text

pytestmark = pytest.mark.timeout(60)
ROUTE = CHART / "ci/grpcroute-values.yaml"
INGRESS = CHART / "ci/ingress-values.yaml"
PLAINTEXT = {"config": {"grpc": {"tls": None, "plaintext_beyond_loopback": True}}, "tlsSecret": None}


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the spec of the only object of a kind."""
    (made,) = of_kind(objects, kind)
    spec: dict[str, Any] = made["spec"]
    return spec


class TestRoute:
    def test_leads_to_the_grpc_port(self) -> None:
        objects = render(scenario=ROUTE)
        route = one(objects, "GRPCRoute")
        (service, _) = of_kind(of_component(objects, "service"), "Service")
        (rule,) = route["rules"]

        assert route["hostnames"] == ["pay.example.com"]
        assert route["parentRefs"] == [{"name": "internal", "namespace": "gateways", "sectionName": "grpc"}]
        assert rule["backendRefs"] == [
            {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
        ]
        assert of_kind(objects, "GRPCRoute")[0]["metadata"]["annotations"] == {"example.org/owner": "payments"}

    def test_makes_the_gateway_speak_tls_to_pods_that_do(self) -> None:
        """Under a name that the certificate has."""
        objects = render(scenario=ROUTE)
        policy = one(objects, "BackendTLSPolicy")
        certificate = of_kind(of_component(objects, "service"), "Certificate")[0]["spec"]

        (target,) = policy["targetRefs"]
        assert (target["name"], target["sectionName"]) == ("pay-payorch", "grpc")
        assert policy["validation"]["hostname"] in certificate["dnsNames"]
        assert policy["validation"]["caCertificateRefs"][0]["name"] == "payorch-ca"

    def test_needs_no_policy_in_plaintext(self) -> None:
        route = {"enabled": True, "parents": [{"name": "internal"}]}

        assert of_kind(render({"host": "pay.example.com", "grpcRoute": route}), "BackendTLSPolicy") == []

    def test_is_off_by_default(self) -> None:
        kinds = {made["kind"] for made in render()}

        assert not kinds & {"GRPCRoute", "BackendTLSPolicy", "Ingress", "Certificate", "ExternalSecret"}


class TestIngress:
    def test_leads_to_the_grpc_port(self) -> None:
        spec = one(render(scenario=INGRESS), "Ingress")

        (rule,) = spec["rules"]
        (path,) = rule["http"]["paths"]
        assert (rule["host"], path["path"], path["pathType"]) == ("pay.example.com", "/", "Prefix")
        assert path["backend"] == {"service": {"name": "pay-payorch", "port": {"name": "grpc"}}}
        assert spec["tls"] == [{"hosts": ["pay.example.com"], "secretName": "pay-example-com"}]
        assert spec["ingressClassName"] == "nginx"


class TestCertificate:
    def test_is_the_secret_that_pods_mount(self) -> None:
        objects = render(scenario=ROUTE)

        for component in ("service", "upc"):
            certificate = one(of_component(objects, component), "Certificate")
            volumes = {volume["name"]: volume for volume in pod_of(objects, component)["volumes"]}
            assert certificate["secretName"] == volumes["tls"]["secret"]["secretName"]

    def test_has_the_names_by_which_callers_call(self) -> None:
        """Those of both Services, and those that values add; the hub's is for the name that Zuora calls."""
        objects = render({"namespaceOverride": "payments"}, scenario=ROUTE)
        service, hub = (one(of_component(objects, component), "Certificate") for component in ("service", "upc"))

        assert {"pay-payorch.payments", "pay-payorch-headless.payments", "pay.example.com"} <= set(service["dnsNames"])
        assert hub["dnsNames"] == ["hub.example.com"]
        assert service["issuerRef"] == {"name": "internal-ca", "kind": "ClusterIssuer", "group": "cert-manager.io"}
        assert (service["duration"], service["renewBefore"], "duration" in hub) == ("2160h", "720h", False)

    def test_of_helm_test_is_valid_for_clients(self) -> None:
        """Where callers have to present one, it presents the service's."""
        service = one(of_component(render(scenario=ROUTE), "service"), "Certificate")

        assert service["usages"] == ["server auth", "client auth"]


class TestExternalSecrets:
    def test_make_the_secrets_that_pods_mount(self) -> None:
        objects = render(scenario=ROUTE)
        made = {found["metadata"]["name"]: found["spec"] for found in of_kind(objects, "ExternalSecret")}

        assert set(made) == {"payorch-zuora", "payorch-fleet", "payorch-upc-credentials"}
        fleet = made["payorch-fleet"]
        remote = {"key": "payments/payorch", "property": "fleet-key", "version": "3"}
        assert fleet["data"] == [{"secretKey": "key", "remoteRef": remote}]
        assert (fleet["secretStoreRef"], fleet["refreshInterval"]) == (
            {"kind": "ClusterSecretStore", "name": "vault"},
            "15m",
        )

    def test_keep_a_secret_that_the_store_lost(self) -> None:
        """Records in the store of intents cannot be read without the fleet's key."""
        targets = [found["spec"]["target"] for found in of_kind(render(scenario=ROUTE), "ExternalSecret")]

        assert {target["deletionPolicy"] for target in targets} == {"Retain"}


@pytest.mark.parametrize(
    ("values", "message", "reason"),
    [
        ({"host": ""}, "host: grpcRoute.enabled needs it", "a route for every name"),
        ({"grpcRoute": {"parents": []}}, "grpcRoute.parents: must name the Gateway", "a route of no Gateway"),
        ({"grpcRoute": {"caConfigMap": ""}}, "grpcRoute.caConfigMap: must name the authority", "plaintext to TLS"),
        (PLAINTEXT | {"certificate": {"enabled": False}}, "grpcRoute.caConfigMap: the pods speak", "TLS to plaintext"),
        ({"certificate": {"issuer": None}}, "certificate.issuer.name: must name", "no one to sign it"),
        ({"upc": {"certificate": {"issuer": None}}}, "upc.certificate.issuer.name: must name", "no one to sign it"),
        (
            PLAINTEXT | {"grpcRoute": {"enabled": False}},
            "tlsSecret: certificate.enabled needs it",
            "a Secret without a name",
        ),
        ({"externalSecrets": {"store": None}}, "externalSecrets.store.name: must name", "nowhere to read"),
        (
            {"externalSecrets": {"secrets": {"payorch-fleeet": {}}}},
            "externalSecrets.secrets.payorch-fleeet: the chart mounts no such Secret; did you mean payorch-fleet?",
            "a Secret that is mounted by nothing",
        ),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(values: dict[str, Any], message: str, reason: str) -> None:
    with pytest.raises(ChartError, match=re.escape(message)):
        render(values, scenario=ROUTE)


def test_ingress_without_a_host_is_refused() -> None:
    with pytest.raises(ChartError, match=r"host: ingress\.enabled needs it"):
        render({"host": ""}, scenario=INGRESS)


@pytest.mark.parametrize(
    ("file", "kind"),
    [(ROUTE, kind) for kind in ("GRPCRoute", "BackendTLSPolicy", "TLSRoute", "Certificate", "ExternalSecret")]
    + [(CHART / "ci/monitored-values.yaml", kind) for kind in ("ServiceMonitor", "PrometheusRule")],
)
def test_field_that_another_project_does_not_know_is_found(file: Path, kind: str) -> None:
    """Their definitions are read, so a misspelt field is not dropped in the cluster only."""
    made = next(found for found in yaml.safe_load_all(render_text(scenario=file)) if found and found["kind"] == kind)
    made["spec"]["misspelt"] = True

    with pytest.raises(ChartError, match="misspelt"):
        conforms(yaml.safe_dump(made), KUBERNETES[-1])
