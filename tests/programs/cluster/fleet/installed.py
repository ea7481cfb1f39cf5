"""The fleet in its namespace: installed, changed, and looked at from outside."""

import json
import socket
import ssl
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from programs.cluster import hub_live
from programs.cluster.api import Api, Object
from programs.cluster.fleet import names, values
from programs.cluster.fleet.materials import Materials
from programs.cluster.helm import CHART, RELEASE, Helm
from programs.cluster.process import ClusterError, until

_PODS: Final = f"/api/v1/namespaces/{names.NAMESPACE}/pods"
_READY_S: Final = 120.0
_GONE_S: Final = 180.0
"""More than the grace of the hub's pods."""
_LOOK_S: Final = 5.0


@dataclass(slots=True)
class Fleet:
    """The release, and the values it has at this moment."""

    api: Api
    helm: Helm
    folder: Path
    kubeconfig: Path
    materials: Materials
    keys: list[str] = field(default_factory=lambda: ["first"])
    """Names of the keys of service and hub, the current one first."""
    rule: str = "everything"
    newcomer: bool = False
    _annotation: str = "first"

    def put(self, verb: str) -> None:
        """Install or upgrade, and wait until Helm finds everything ready."""
        hub = hub_live.values(2)["upc"]["config"]["upc"]
        layers = {
            "base": values.base(keys=self.keys, hub_keys=self.keys, hub=hub),
            "policy": values.policy(rule=self.rule, newcomer=self.newcomer),
            "annotation": {"podAnnotations": {"changed": self._annotation}},
        }
        given: list[str] = []
        for name, content in layers.items():
            file = self.folder / f"{name}-values.yaml"
            file.write_text(yaml.safe_dump(content))
            given += ["--values", str(file)]
        self.helm.run(verb, RELEASE, str(CHART), *given, "--wait", "--timeout", "5m", namespace=names.NAMESPACE)

    def replace_all(self, annotation: str) -> None:
        """Upgrade to other pods of service and hub, and wait until the old ones are gone."""
        old = {pod["metadata"]["uid"] for pod in self.pods()}
        self._annotation = annotation
        self.put("upgrade")
        self.until_gone(old)

    def until_gone(self, uids: set[str]) -> None:
        """Wait until pods are gone and as many others are ready."""
        until(
            "the old pods are gone",
            lambda: not uids & {pod["metadata"]["uid"] for pod in self.pods()},
            within_s=_GONE_S,
        )
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until service and hub have all their pods, and money may move."""
        wanted = {"service": values.REPLICAS, "upc": values.HUB_REPLICAS}

        def ready() -> bool:
            return all(
                len(found := self.ready_pods(component)) == count and all(map(_accepts, found))
                for component, count in wanted.items()
            )

        until("service and hub are ready, and their store works", ready, within_s=_READY_S)

    def pods(self, component: str = "") -> list[Object]:
        """Return the pods of the release, or of one of its components, those that end included."""
        found: list[Object] = self.api.get(_PODS)["items"]
        labels = "app.kubernetes.io/component"
        return [
            pod
            for pod in found
            if pod["metadata"]["labels"].get("app.kubernetes.io/instance") == RELEASE
            and component in {"", pod["metadata"]["labels"].get(labels)}
        ]

    def ready_pods(self, component: str) -> list[Object]:
        """Return the pods of a component that are ready and do not end."""
        return [pod for pod in self.pods(component) if is_ready(pod)]

    def pod(self, name: str) -> Object | None:
        """Return a pod; None if there is none."""
        return next((pod for pod in self.api.get(_PODS)["items"] if pod["metadata"]["name"] == name), None)

    def delete_pod(self, name: str) -> None:
        """Delete a pod, which then has its grace."""
        self.api.delete(f"{_PODS}/{name}")

    def evicted(self, name: str) -> bool:
        """Ask for the eviction of a pod; return whether its disruption budget allows it."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        try:
            self.api.create(f"{_PODS}/{name}/eviction", eviction)
        except ClusterError:
            return False
        return True

    def address_of(self, service: str) -> str:
        """Return the address of a Service."""
        return str(self.api.get(f"/api/v1/namespaces/{names.NAMESPACE}/services/{service}")["spec"]["clusterIP"])

    def listeners(self) -> dict[str, tuple[str, int]]:
        """Return everything that shows a certificate, by name: each pod of service and hub, Redis and Envoy."""
        found = {
            pod["metadata"]["name"]: (pod["status"]["podIP"], port)
            for component, port in (("service", names.GRPC_PORT), ("upc", names.HUB_PORT))
            for pod in self.ready_pods(component)
        }
        return found | {
            "redis": (self.address_of("redis"), names.REDIS_PORT),
            "envoy": (self.address_of("envoy"), names.ENVOY_PORT),
        }

    def require_no_restarts(self) -> None:
        """Require that no container of the release has ended by itself.

        Raises:
            ClusterError: One has.
        """
        for pod in self.pods():
            for container in pod["status"].get("containerStatuses", ()):
                if container["restartCount"]:
                    raise ClusterError(f"{pod['metadata']['name']} was restarted: {container['lastState']}")


def is_ready(pod: Object) -> bool:
    """Return whether a pod is ready and does not end."""
    conditions = pod["status"].get("conditions", ())
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def certificate_shown(address: tuple[str, int]) -> str:
    """Return the certificate that a listener shows in a new handshake, in PEM form; empty if it does not answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # Which certificate it is, is the question.

    try:
        with socket.create_connection(address, timeout=_LOOK_S) as plain, context.wrap_socket(plain) as secured:
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


def _accepts(pod: Object) -> bool:
    """Return whether a pod of the service accepts money, or one of the hub knows its store and its gateways."""
    try:
        with urllib.request.urlopen(
            f"http://{pod['status']['podIP']}:{names.ADMIN_PORT}/readyz", timeout=_LOOK_S
        ) as answer:
            state: dict[str, Any] = json.load(answer)
    except OSError:
        return False
    if "money" in state:
        return bool(state["money"]["accepted"])
    return bool(state["epoch"]["declared"]) and set(state["gateways"].values()) == {"READY"}
