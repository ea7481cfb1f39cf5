"""What the API server says of a scenario's objects and pods on trial, and whether it can say no."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Final

import httpx

from programs.cluster.api import Answer, Object, RefusedError
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import Scenario, pods_of, wait_until_only

_PODS: Final = "/api/v1/namespaces/{}/pods"
_DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/{}/deployments"
_CONTROLLER_S: Final = 60.0
_WEAK: Final = "weak"


def objects_are_accepted(scenario: Scenario) -> str:
    """Apply everything but pods on trial; pods need the service account to be there."""
    tried = [one for one in scenario.objects if one["kind"] != "Pod"]
    for one in tried:
        namespace = one["metadata"].get("namespace", scenario.namespace)
        path = scenario.api.resource_of(one).path(namespace, one["metadata"]["name"])
        _accepted(scenario, one, partial(scenario.api.apply, path, one, dry_run=True))
    return f"{len(tried)} objects are accepted on trial, strictly and without a warning"


def pods_are_admitted(scenario: Scenario) -> str:
    """Create every pod on trial, as it would be and with one protection less."""
    path = _PODS.format(scenario.namespace)
    pods = pods_of(scenario.objects)
    for maker, pod in pods.items():
        pod["metadata"]["name"] += "-on-trial"
        _accepted(scenario, pod, partial(scenario.api.create, path, pod, dry_run=True))
        _refused(f"the pod of {maker} without runAsNonRoot", path, scenario, weakened(pod), because="runAsNonRoot")
    misspelt = next(iter(pods.values()))
    misspelt["spec"]["restartPolice"] = "Never"
    _refused("a pod with a field that does not exist", path, scenario, misspelt, because="restartPolice")
    return f"the pods of {', '.join(pods)} are admitted on trial; weakened or misspelt they are refused"


def weakened(pod: Object) -> Object:
    """Return a pod without runAsNonRoot."""
    weak = copy.deepcopy(pod)
    del weak["spec"]["securityContext"]["runAsNonRoot"]
    return weak


def weak_deployment_is_noticed(scenario: Scenario) -> str:
    """Let the real controllers try a weakened Deployment: the API server warns, and no pod comes of it."""
    before = scenario.inventory()
    deployment = copy.deepcopy(scenario.of_kind("Deployment")[0])
    deployment["metadata"]["name"] = _WEAK
    deployment["spec"]["replicas"] = 1
    deployment["spec"]["template"] = weakened(deployment["spec"]["template"])
    path = _DEPLOYMENTS.format(scenario.namespace)
    answer = scenario.api.create(path, deployment)
    if not any("runAsNonRoot" in warning for warning in answer.warnings):
        raise ClusterError(f"The API server did not warn of a weakened Deployment, but: {answer.warnings}.")
    until(
        "the controllers say that the pods of a weakened Deployment are refused",
        lambda: "violates PodSecurity" in refusal(scenario.api.get(f"{path}/{_WEAK}")),
        within_s=_CONTROLLER_S,
    )
    scenario.api.delete(f"{path}/{_WEAK}?propagationPolicy=Foreground")
    wait_until_only(scenario.api, *scenario.namespaces, wanted=before, within_s=_CONTROLLER_S)
    return "a weakened Deployment is warned of, and its pods are refused"


def refusal(deployment: Object) -> str:
    """Return why the pods of a Deployment are refused, or nothing."""
    conditions = deployment.get("status", {}).get("conditions", ())
    return next((one["message"] for one in conditions if one["type"] == "ReplicaFailure"), "")


def _accepted(scenario: Scenario, content: Object, send: Callable[[], Answer]) -> None:
    name = f"{content['kind']} {content['metadata']['name']}"
    try:
        answer = send()
    except RefusedError as error:
        raise ClusterError(f"{name} of {scenario.values} is refused: {error}") from None
    if answer.warnings:
        raise ClusterError(f"{name} of {scenario.values} is warned of: {'; '.join(answer.warnings)}")


def _refused(what: str, path: str, scenario: Scenario, content: Object, *, because: str) -> None:
    try:
        scenario.api.create(path, content, dry_run=True)
    except RefusedError as error:
        if error.status in {httpx.codes.FORBIDDEN, httpx.codes.BAD_REQUEST} and because in str(error):
            return
        raise ClusterError(f"{what} is refused, but not because of {because}: {error}") from None
    raise ClusterError(f"{what} is admitted, so nothing here can fail.")
