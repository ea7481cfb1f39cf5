"""A scenario installed by Helm, changed, put back and removed."""

import json
from typing import Final

from programs.cluster.admission import refusal
from programs.cluster.helm import CHART, RELEASE
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import Scenario, wait_until_only

_PODS_S: Final = 60.0
_GONE_S: Final = 60.0
_ANNOTATION: Final = "payorch-tests/changed"


def install(scenario: Scenario) -> str:
    """Install; the objects are what `helm template` printed, and the controllers get their pods admitted."""
    scenario.helm.run(
        "install", RELEASE, str(CHART), "--values", str(scenario.values), namespace=scenario.release_namespace
    )
    there = scenario.inventory()
    wanted = {(one["kind"], one["metadata"]["name"]) for one in scenario.objects if one["kind"] != "Pod"}
    if missing := wanted - there:
        raise ClusterError(f"helm install of {scenario.values} left out: {sorted(missing)}.")
    pods = sum(_wait_for_pods(scenario, one["metadata"]["name"]) for one in scenario.of_kind("Deployment"))
    return f"installed; the controllers made {pods} pods, all admitted"


def change_and_go_back(scenario: Scenario) -> str:
    """Upgrade to other pods and roll back: both reach the API server, and the old pods' template returns."""
    first = _template(scenario)
    changed = json.dumps({_ANNOTATION: "yes"})
    values = ("--values", str(scenario.values), "--set-json", f"podAnnotations={changed}")
    scenario.helm.run("upgrade", RELEASE, str(CHART), *values, namespace=scenario.release_namespace)
    second = _template(scenario)
    if second["metadata"]["annotations"].pop(_ANNOTATION, None) != "yes" or first != second:
        raise ClusterError(f"helm upgrade of {scenario.values} changed something else than was asked for.")
    scenario.helm.run("rollback", RELEASE, "1", namespace=scenario.release_namespace)
    if first != _template(scenario):
        raise ClusterError(f"helm rollback of {scenario.values} did not bring back the first template.")
    return "upgraded and rolled back; the template of the pods is the first one again"


def uninstall(scenario: Scenario) -> str:
    """Uninstall; the namespace holds what it held before, and nothing else."""
    scenario.helm.run("uninstall", RELEASE, namespace=scenario.release_namespace)
    wait_until_only(scenario.api, *scenario.namespaces, wanted=scenario.before, within_s=_GONE_S)
    return "uninstalled; nothing is left"


def _wait_for_pods(scenario: Scenario, name: str) -> int:
    """Wait until a Deployment has all its pods; return how many."""

    def all_there() -> bool:
        deployment = scenario.api.get(path)
        if reason := refusal(deployment):
            raise ClusterError(f"The pods of Deployment {name} of {scenario.values} are refused: {reason}")
        status = deployment.get("status", {})
        seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
        return bool(seen and status.get("replicas", 0) == deployment["spec"]["replicas"])

    path = f"/apis/apps/v1/namespaces/{scenario.namespace}/deployments/{name}"
    until(f"Deployment {name} of {scenario.values} has its pods", all_there, within_s=_PODS_S)
    count: int = scenario.api.get(path)["spec"]["replicas"]
    return count


def _template(scenario: Scenario) -> dict[str, dict[str, dict[str, str]]]:
    name = scenario.of_kind("Deployment")[0]["metadata"]["name"]
    path = f"/apis/apps/v1/namespaces/{scenario.namespace}/deployments/{name}"
    template: dict[str, dict[str, dict[str, str]]] = scenario.api.get(path)["spec"]["template"]
    return template
