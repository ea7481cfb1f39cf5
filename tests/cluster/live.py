"""The chart on a node: pods run, become ready, are called, changed without a gap and go away."""

import base64
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from support.authority import Authority
from support.redis_server import find_server
from zuora_emulator import seed

from cluster import calls, confinement
from cluster.api import Api, Object
from cluster.control_plane import ControlPlane
from cluster.helm import CHART, RELEASE, Helm
from cluster.node import ADDRESS
from cluster.process import ClusterError, Started, started, until
from cluster.scenario import LABELS, inventory

NAMESPACE: Final = "payorch-live"
IMAGE: Final = "localhost/payorch:test"
_ZUORA_PORT: Final = 443
_REDIS_PORT: Final = 6379
_WAIT: Final = ("--wait", "--timeout", "2m")
_WITHIN: Final = ("--timeout", "1m")
_GONE_S: Final = 60.0
_ANNOTATION: Final = "changed"
_SERVERS_S: Final = 20.0


def values(replicas: int) -> dict[str, Any]:
    """Return what differs from the chart as it comes: the image, and a Zuora that is an emulator."""
    repository, _, tag = IMAGE.rpartition(":")
    tenant = {
        "environment": None,
        "base_url": "https://zuora",
        "client_id": seed.CLIENT_A.client_id,
        "entities": {"us": seed.ENTITY_US},
    }
    rule = {"name": "everything", "to": {"tenant": "default", "entity": "us", "gateway": "zuora_default"}}
    return {
        "replicas": replicas,
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "config": {
            "http": {"ca_file": "/etc/payorch/fleet/ca.crt", "extra_hosts": ["zuora"]},
            "tenants": {"default": tenant},
            "routing": [rule],
        },
    }


def run(plane: ControlPlane, helm: Helm) -> Iterator[str]:
    """Take the release through its life; yield what was shown."""
    folder = plane.folder / "live"
    folder.mkdir()
    with _outside(plane.api, folder):
        before = inventory(plane.api, NAMESPACE)
        _to_release(helm, "install", 0, folder)
        _require_failing_test(helm)
        yield "without instances helm test fails"
        _to_release(helm, "upgrade", 2, folder)
        yield "2 pods are ready: image, configuration, secrets, store, emulator and probes fit together"
        helm.run("test", RELEASE, *_WITHIN, namespace=NAMESPACE)
        yield "helm test passes: its pod finds the Service by name and is answered"
        yield confinement.shown("/opt/payorch/bin/payorch-server", count=2)
        with calls.ongoing(_target(plane.api)) as made:
            old = _pods(plane.api)
            _to_release(helm, "upgrade", 2, folder, "--set", f"podAnnotations.{_ANNOTATION}=yes")
            until("the old pods are gone", lambda: not old & _pods(plane.api), within_s=_GONE_S)
        yield f"{made.require_success()} calls through the Service while all pods were replaced: none failed"
        _require_no_restarts(plane.api)
        helm.run("uninstall", RELEASE, *_WAIT, namespace=NAMESPACE)
        gone = "the namespace is as empty as before"
        until(gone, lambda: inventory(plane.api, NAMESPACE) == before, within_s=_GONE_S)
        yield "uninstalled; every pod ended within its grace, and nothing is left"


def _to_release(helm: Helm, verb: str, replicas: int, folder: Path, *more: str) -> None:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values(replicas)))
    helm.run(verb, RELEASE, str(CHART), "--values", str(file), *more, *_WAIT, namespace=NAMESPACE)


def _require_failing_test(helm: Helm) -> None:
    try:
        helm.run("test", RELEASE, *_WITHIN, namespace=NAMESPACE)
    except ClusterError:
        return
    raise ClusterError("helm test passes although there is no instance, so it cannot fail.")


def _target(api: Api) -> str:
    """Return the address of the Service, as a client outside of pods' DNS must name it."""
    spec = api.get(f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-payorch")["spec"]
    return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"


def _pods(api: Api) -> set[str]:
    return {pod["metadata"]["name"] for pod in api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]}


def _require_no_restarts(api: Api) -> None:
    for pod in api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]:
        for container in pod["status"]["containerStatuses"]:
            if container["restartCount"]:
                raise ClusterError(f"{pod['metadata']['name']} was restarted: {container['lastState']}")


@contextmanager
def _outside(api: Api, folder: Path) -> Iterator[None]:
    """Make the namespace, run what the pods need outside of the cluster, and give it names and secrets inside."""
    metadata = {"name": NAMESPACE, "labels": LABELS}
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    authority = Authority()
    certificate, key = authority.issue("zuora").write(folder, "zuora")
    emulator = (sys.executable, "-m", "cluster.upstream", "--host", ADDRESS, "--port", str(_ZUORA_PORT))
    redis = (find_server(), "--bind", ADDRESS, "--port", str(_REDIS_PORT), "--protected-mode", "no", "--save", "")
    with ExitStack() as stack:
        processes = (
            stack.enter_context(
                started("zuora", (*emulator, "--certificate", certificate, "--key", key), folder=folder)
            ),
            stack.enter_context(started("redis", (*redis, "--maxmemory-policy", "noeviction"), folder=folder)),
        )
        for name, port in (("zuora", _ZUORA_PORT), ("redis", _REDIS_PORT)):
            _wait_for(name, port, processes)
            for one in _name_outside(name, port):
                api.create(api.resource_of(one).path(NAMESPACE), one)
        fleet = {"key": secrets.token_bytes(32), "ca.crt": authority.certificate}
        for name, data in (
            ("payorch-zuora", {"client_secret": seed.CLIENT_A.client_secret.encode()}),
            ("payorch-fleet", fleet),
        ):
            api.create(f"/api/v1/namespaces/{NAMESPACE}/secrets", _secret(name, data))
        yield


def _wait_for(name: str, port: int, processes: tuple[Started, ...]) -> None:
    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((ADDRESS, port)) == 0

    until(f"{name} listens", listens, within_s=_SERVERS_S, processes=processes)


def _secret(name: str, data: dict[str, bytes]) -> Object:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def _name_outside(name: str, port: int) -> tuple[Object, Object]:
    """Return a Service that leads out of the cluster, and where it leads."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"name": name, "port": port}]},
    }
    where = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS]}],
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }
    return service, where
