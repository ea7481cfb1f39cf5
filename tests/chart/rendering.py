"""What Helm makes of the chart."""

import functools
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path("helm/payorch")
SCENARIOS: Final = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
FLEET_FOLDER: Final = "/etc/payorch/fleet"
SECRET_FOLDER: Final = "/etc/payorch/client-secrets"
HELMS: Final = ("helm", "helm3")
"""The newest one, and the one before it, which many still have."""
KUBERNETES: Final = ("1.30.0", "1.34.0", "1.37.0")
"""The oldest that the chart installs on, one between, and the newest."""
UNKNOWN: Final = "CiliumNetworkPolicy"
"""The kind whose schema there is none of; the tests of the network check it."""
_SCHEMAS: Final = "build/kubernetes/kubernetes_validate/kubernetes-json-schema/v{}-local-strict"
_SCHEMAS_OF_OTHERS: Final = "build/crds/{{.ResourceKind}}{{.KindSuffix}}.json"
_TOOLS: Final = Path("build/tools")


class ChartError(Exception):
    """Helm refuses the values; the text is what it says."""


def run(tool: str, *arguments: str, given: str | None = None) -> str:
    """Run a tool of build/tools and return what it prints.

    Raises:
        ChartError: The tool fails.
    """
    done = subprocess.run(  # noqa: S603 - a tool of ours
        [str(_TOOLS / tool), *arguments], input=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ChartError(done.stdout + done.stderr)
    return done.stdout


def render(
    values: Mapping[str, Any] | None = None, *, scenario: Path | None = None, kubernetes: str = "1.37.0"
) -> list[dict[str, Any]]:
    """Return the objects of a release named `pay`, with values over those of a scenario."""
    text = render_text(values, scenario=scenario, kubernetes=kubernetes)
    return [one for one in yaml.safe_load_all(text) if one]


def render_text(
    values: Mapping[str, Any] | None = None,
    *,
    scenario: Path | None = None,
    kubernetes: str = "1.37.0",
    helm: str = "helm",
    release: str = "pay",
) -> str:
    """Return the manifest of a release."""
    return _rendered(json.dumps(values or {}), scenario, kubernetes, helm, release)


@functools.cache
def _rendered(over: str, scenario: Path | None, kubernetes: str, helm: str, release: str) -> str:
    files = ["--values", str(scenario)] if scenario else []
    return run(helm, "template", release, str(CHART), "--kube-version", kubernetes, *files, "--values", "-", given=over)


def conforms(manifest: str, kubernetes: str) -> None:
    """Assert that Kubernetes, or who else defines a kind, knows each object and each field."""
    location = _SCHEMAS.format(kubernetes) + "/{{.ResourceKind}}{{.KindSuffix}}.json"
    kinds = [made["kind"] for made in yaml.safe_load_all(manifest) if made]
    locations = ("-schema-location", location, "-schema-location", _SCHEMAS_OF_OTHERS)

    output = run("kubeconform", "-strict", "-summary", "-skip", UNKNOWN, *locations, given=manifest)

    assert f"Invalid: 0, Errors: 0, Skipped: {kinds.count(UNKNOWN)}" in output
    assert kinds == [] or "Valid: 0" not in output


def identities(manifest: str) -> list[dict[str, Any]]:
    """Return what an upgrade must not change of each object: kind, namespace, name, and selector of a Deployment."""
    return [
        {
            "kind": made["kind"],
            "namespace": made["metadata"].get("namespace", ""),
            "name": made["metadata"]["name"],
            "selector": made["spec"]["selector"]["matchLabels"] if made["kind"] == "Deployment" else {},
        }
        for made in yaml.safe_load_all(manifest)
        if made
    ]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def of_component(objects: list[dict[str, Any]], component: str) -> list[dict[str, Any]]:
    """Return the objects of a component: `service`, `upc` or `test`."""
    return [one for one in objects if one["metadata"]["labels"]["app.kubernetes.io/component"] == component]


def pod_of(objects: list[dict[str, Any]], component: str = "service") -> dict[str, Any]:
    """Return the spec of the pods of a component's Deployment."""
    (deployment,) = of_kind(of_component(objects, component), "Deployment")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a pod, sidecars as well."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def config_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the service's configuration, of both its files."""
    files = of_kind(of_component(objects, "service"), "ConfigMap")[0]["data"]
    document: dict[str, Any] = {}
    for file in ("payorch.yaml", "policy.yaml"):
        document |= yaml.safe_load(files[file])
    return document


def hub_config_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the hub's configuration."""
    (config,) = of_kind(of_component(objects, "upc"), "ConfigMap")
    document: dict[str, Any] = yaml.safe_load(config["data"]["hub.yaml"])
    return document
