"""A scenario installed by Helm, changed, put back and removed."""

import json
from typing import Final

from programs.cluster.admission import refusal
from programs.cluster.api import Object
from programs.cluster.helm import CHART, RELEASE
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import Scenario, wait_until_only

_PODS_S: Final = 60.0
_GONE_S: Final = 60.0
_ANNOTATION: Final = "payorch-tests/changed"


def install(scenario: Scenario) -> str:
    """Install; the objects are what `helm template` printed, and the controllers get their pods admitted."""
    scenario.helm.run(
        "install", RELEASE, str(scenario.chart), "--values", str(scenario.values), namespace=scenario.release_namespace
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


def upgrade_and_go_back(scenario: Scenario) -> str:
    """Upgrade a released chart to that of this tree, with the values of that release, and roll back.

    The API server refuses a change of what cannot be changed, such as a selector. No Deployment is replaced, the
    controllers get the new pods admitted, and the rollback brings the old ones back.
    """
    names = [deployment["metadata"]["name"] for deployment in scenario.of_kind("Deployment")]
    first = [_deployment(scenario, name) for name in names]
    values = ("--values", str(scenario.values))
    scenario.helm.run("upgrade", RELEASE, str(CHART), *values, namespace=scenario.release_namespace)
    pods = sum(_wait_for_pods(scenario, name) for name in names)
    scenario.helm.run("rollback", RELEASE, "1", namespace=scenario.release_namespace)
    for name, before in zip(names, first, strict=True):
        _wait_for_pods(scenario, name)
        after = _deployment(scenario, name)
        if before["metadata"]["uid"] != after["metadata"]["uid"]:
            raise ClusterError(f"helm upgrade of {scenario.chart} replaced the Deployment {name}: its pods were gone.")
        if before["spec"]["template"] != after["spec"]["template"]:
            raise ClusterError(f"helm rollback to {scenario.chart} did not bring back the first template of {name}.")
    return f"upgraded to {CHART} with {pods} pods, all admitted; rolled back to the first templates of {len(names)}"


def uninstall(scenario: Scenario) -> str:
    """Uninstall; the namespace holds what it held before, and nothing else."""
    scenario.helm.run("uninstall", RELEASE, namespace=scenario.release_namespace)
    wait_until_only(scenario.api, *scenario.namespaces, wanted=scenario.before, within_s=_GONE_S)
    return "uninstalled; nothing is left"


def _wait_for_pods(scenario: Scenario, name: str) -> int:
    """Wait until a Deployment has all its pods; return how many."""

    def all_there() -> bool:
        deployment = _deployment(scenario, name)
        if reason := refusal(deployment):
            raise ClusterError(f"The pods of Deployment {name} of {scenario.values} are refused: {reason}")
        status = deployment.get("status", {})
        seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
        return bool(seen and status.get("replicas", 0) == deployment["spec"]["replicas"])

    until(f"Deployment {name} of {scenario.values} has its pods", all_there, within_s=_PODS_S)
    count: int = _deployment(scenario, name)["spec"]["replicas"]
    return count


def _template(scenario: Scenario) -> Object:
    template: Object = _deployment(scenario, scenario.of_kind("Deployment")[0]["metadata"]["name"])["spec"]["template"]
    return template


def _deployment(scenario: Scenario, name: str) -> Object:
    return scenario.api.get(f"/apis/apps/v1/namespaces/{scenario.namespace}/deployments/{name}")
