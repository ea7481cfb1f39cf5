"""The chart on a node: pods run, become ready, are called, replaced without a gap and go away."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from zuora_emulator import seed

from programs.cluster import calls, confinement, diagnosis
from programs.cluster.api import Api
from programs.cluster.helm import CHART, RELEASE, Helm
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import Inventory, inventory, wait_until_only

NAMESPACE: Final = "payorch-live"
IMAGE: Final = "localhost/payorch:test"
SERVICE: Final = f"{RELEASE}-payorch"
PROGRAM: Final = "/opt/payorch/bin/payorch-server"
_WAIT: Final = ("--wait", "--timeout", "5m")
GONE_S: Final = 60.0
"""Less than the grace of the pods, 75 s."""


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
            "zuora_http": {"ca_file": "/etc/payorch/fleet/ca.crt", "extra_hosts": ["zuora"]},
            "tenants": {"default": tenant},
            "routing": [rule],
        },
    }


def run(api: Api, release: "Release", kubeconfig: Path) -> Iterator[str]:
    """Take releases through their lives; yield what was shown."""
    yield from _in_plaintext(api, release, kubeconfig)
    yield from _with_tls(api, release)


@dataclass(frozen=True, slots=True)
class Release:
    """The release that runs, with our values over others."""

    helm: Helm
    file: Path

    def put(self, verb: str, *more: str, replicas: int) -> None:
        """Install or upgrade, and wait until it is ready."""
        self.file.write_text(yaml.safe_dump(values(replicas)))
        ours = ("--values", str(self.file))
        self.helm.run(verb, RELEASE, str(CHART), *more, *ours, *_WAIT, namespace=NAMESPACE)

    def test(self, *more: str) -> None:
        """Run its tests."""
        self.helm.run("test", RELEASE, "--timeout", "1m", *more, namespace=NAMESPACE)

    def remove(self, api: Api, before: Inventory) -> None:
        """Uninstall; pods must end by themselves, since Kubernetes would not have killed them so soon."""
        self.helm.run("uninstall", RELEASE, namespace=NAMESPACE)
        wait_until_only(api, NAMESPACE, wanted=before, within_s=GONE_S)


def _in_plaintext(api: Api, release: Release, kubeconfig: Path) -> Iterator[str]:
    before = inventory(api, NAMESPACE)
    release.put("install", replicas=0)
    _require_failing_test(release)
    yield "without instances helm test fails"
    release.put("upgrade", replicas=2)
    yield "2 pods are ready: image, configuration, secrets, store, emulator and probes fit together"
    release.test()
    yield "helm test passes: its pod finds the Service by name and is answered"
    yield confinement.shown(PROGRAM, count=2)
    yield from diagnosis.run(_target(api), kubeconfig, release.file.parent, namespace=NAMESPACE)
    with calls.ongoing(_target(api)) as made:
        old = pods(api)
        release.put("upgrade", "--set", "podAnnotations.changed=yes", replicas=2)
        until("the old pods are gone", lambda: not old & pods(api), within_s=GONE_S)
    yield f"{made.require_success()} calls through the Service while all pods were replaced: none failed"
    require_no_restarts(api)
    release.remove(api, before)
    yield "uninstalled; every pod ended by itself, and nothing is left"


def _with_tls(api: Api, release: Release) -> Iterator[str]:
    before = inventory(api, NAMESPACE)
    release.put("install", "--values", str(CHART / "ci/mtls-values.yaml"), replicas=1)
    release.test()
    yield "with TLS helm test passes: its pod shows a certificate of its Secret"
    with calls.ongoing(_target(api)) as made:
        until(
            "a caller in plaintext is refused",
            lambda: any("UNAVAILABLE" in one for one in made.failures),
            within_s=GONE_S,
        )
    if made.succeeded:
        raise ClusterError("A caller in plaintext is answered by an instance that wants certificates.")
    yield "a caller in plaintext is refused"
    require_no_restarts(api)
    release.remove(api, before)
    yield "uninstalled; nothing is left"


def _require_failing_test(release: Release) -> None:
    try:
        release.test()
    except ClusterError as error:
        if f"{SERVICE}-test-health failed" in str(error):
            return
        raise
    raise ClusterError("helm test passes although there is no instance, so it cannot fail.")


def _target(api: Api) -> str:
    """Return the address of the Service, as a client outside of pods' DNS must name it."""
    spec = api.get(f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}")["spec"]
    return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"


def pods(api: Api) -> set[str]:
    """Return the names of the pods that there are."""
    return {pod["metadata"]["name"] for pod in api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]}


def require_no_restarts(api: Api) -> None:
    """Require that no container has ended by itself.

    Raises:
        ClusterError: One has.
    """
    for pod in api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]:
        for container in pod["status"]["containerStatuses"]:
            if container["restartCount"]:
                raise ClusterError(f"{pod['metadata']['name']} was restarted: {container['lastState']}")
