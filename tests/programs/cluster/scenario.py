"""One scenario of the chart and its namespace, whose pods must pass the `restricted` level of Pod Security."""

import copy
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from programs.cluster.api import Api, Object
from programs.cluster.helm import CHART, Helm
from programs.cluster.process import ClusterError, until

_NAMESPACE_S: Final = 30.0
_OF_EVERY_NAMESPACE: Final = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
LABELS: Final = {
    f"pod-security.kubernetes.io/{mode}{end}": value
    for mode in ("enforce", "warn", "audit")
    for end, value in (("", "restricted"), ("-version", "latest"))
}

Inventory = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A values file, what Helm makes of it, and where it is installed."""

    api: Api
    helm: Helm
    chart: Path
    """What is installed: the chart of this tree, or a released one."""
    values: Path
    release_namespace: str
    """Where Helm keeps the release."""
    namespace: str
    """Where its workloads are."""
    namespaces: tuple[str, ...]
    """All that its objects are in."""
    objects: tuple[Object, ...]
    """What `helm template` prints, hooks included."""
    before: Inventory
    """What its namespaces held before anything was installed."""

    def of_kind(self, kind: str) -> list[Object]:
        """Return its objects of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def inventory(self) -> Inventory:
        """Return kind and name of everything in its namespaces but events."""
        return inventory(self.api, *self.namespaces)


def prepared(api: Api, helm: Helm, values: Path, *, kubernetes: str, chart: Path = CHART) -> Scenario:
    """Make the namespaces of a scenario, and what a cluster must have before: kinds, and classes of its pods.

    Args:
        api: The API server.
        helm: Helm.
        values: Of the release.
        kubernetes: The version of the API server.
        chart: What is installed first; the chart of this tree, to which it may be upgraded, unless given.
    """
    release = f"payorch-{values.stem.removesuffix('-values')}"
    objects, upgraded = (
        tuple(helm.render(source, values, namespace=release, kubernetes=kubernetes)) for source in (chart, CHART)
    )
    workloads = next(one["metadata"].get("namespace", release) for one in objects if one["kind"] == "Deployment")
    namespaces = tuple({release, *(one["metadata"].get("namespace", release) for one in objects)})
    for name in namespaces:
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": LABELS}}
        api.apply(f"/api/v1/namespaces/{name}", made)
    _make_kinds(api, (*objects, *upgraded))
    for pod in pods_of(objects).values():
        if name := pod["spec"].get("priorityClassName"):
            path = f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}"
            kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
            api.apply(path, {**kind, "metadata": {"name": name}, "value": 1})
        if name := pod["spec"].get("runtimeClassName"):
            runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": name}
            api.apply(f"/apis/node.k8s.io/v1/runtimeclasses/{name}", {**runtime, "metadata": {"name": name}})
    _make_accounts(api, objects, workloads)
    until(
        f"{' and '.join(namespaces)} have what Kubernetes puts into every namespace",
        lambda: all(_OF_EVERY_NAMESPACE <= inventory(api, name) for name in namespaces),
        within_s=_NAMESPACE_S,
    )
    return Scenario(api, helm, chart, values, release, workloads, namespaces, objects, inventory(api, *namespaces))


def _make_accounts(api: Api, objects: tuple[Object, ...], namespace: str) -> None:
    """Make the service accounts that pods have and that are not the chart's."""
    own = {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"}
    for pod in pods_of(objects).values():
        name = pod["spec"].get("serviceAccountName", "default")
        if name not in own | {"default"}:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
            api.apply(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", account)


def inventory(api: Api, *namespaces: str) -> Inventory:
    """Return kind and name of everything in namespaces but events."""
    found: set[tuple[str, str]] = set()
    for (_, kind), resource in api.resources().items():
        if resource.namespaced and resource.listed and kind != "Event":
            for namespace in namespaces:
                found |= {(kind, one["metadata"]["name"]) for one in api.get(resource.path(namespace))["items"]}
    return frozenset(found)


def wait_until_only(api: Api, *namespaces: str, wanted: Inventory, within_s: float) -> None:
    """Wait until namespaces hold nothing but what they should.

    Raises:
        ClusterError: Something is left, or missing.
    """
    try:
        until("", lambda: inventory(api, *namespaces) == wanted, within_s=within_s)
    except ClusterError:
        difference = sorted(inventory(api, *namespaces) ^ wanted)
        named = " and ".join(namespaces)
        raise ClusterError(f"After {within_s:.0f} s {named} still differs from before: {difference}") from None


def pods_of(objects: tuple[Object, ...]) -> dict[str, Object]:
    """Return every pod there would be, by kind and name of what makes it."""
    found: dict[str, Object] = {}
    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] == "Pod":
            found[f"Pod {name}"] = copy.deepcopy(one)
        with suppress(KeyError, TypeError):
            template = copy.deepcopy(one["spec"]["template"])
            template["metadata"]["name"] = name
            found[f"{one['kind']} {name}"] = {"apiVersion": "v1", "kind": "Pod", **template}
    return found


def _make_kinds(api: Api, objects: tuple[Object, ...]) -> None:
    """Describe the kinds of operators to the API server, open to any content: their own checks are not made here."""
    unknown = {(one["apiVersion"], one["kind"]) for one in objects} - api.resources().keys()
    for version, kind in sorted(unknown):
        print(f"  {kind} of {version} is no kind of Kubernetes itself: accepted whatever it holds", flush=True)
        api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition(version, kind))
    until("the API server knows these kinds", lambda: unknown <= api.resources().keys(), within_s=_NAMESPACE_S)


def _definition(version: str, kind: str) -> Object:
    group, _, number = version.partition("/")
    singular = kind.lower()
    plural = f"{singular[:-1]}ies" if singular.endswith("y") else f"{singular}s"
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # The API server asks for it in groups of Kubernetes' own, such as that of the Gateway API.
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": singular, "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [{"name": number, "served": True, "storage": True, "schema": anything}],
        },
    }
