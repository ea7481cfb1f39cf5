"""The events that a fleet undergoes under load, each as its page of the docs describes; each ends with recovery."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import payorch
import redis
from payorch.v1 import payment_orchestration_service_pb2 as pb

from programs.cluster.control_plane import BINARIES, NODE_NAMES
from programs.cluster.fleet import names
from programs.cluster.fleet.installed import Fleet, certificate_shown, is_ready
from programs.cluster.fleet.materials import put
from programs.cluster.process import ClusterError, until

_DRAIN_S: Final = 300.0
_EVICTED_S: Final = 180.0
_REDIS_S: Final = 120.0
_REACHED_S: Final = 180.0
"""Within which the kubelet brings a changed Secret or ConfigMap into the pods, and they use it."""
_PROBE_S: Final = 10.0
_UNKNOWN_ID: Final = "an-intent-that-was-never-sent"


def rolling_update(fleet: Fleet) -> str:
    """Replace all pods of service and hub, as every upgrade does."""
    fleet.replace_all("second")
    return "all pods of service and hub were replaced"


def node_drain(fleet: Fleet) -> str:
    """Drain a node as its operators do, and give it back."""
    leaving = [pod for pod in fleet.pods() if pod["spec"]["nodeName"] == NODE_NAMES[1]]
    if not leaving:
        raise ClusterError(f"No pod is on {NODE_NAMES[1]}, so its drain would show nothing.")
    _kubectl(fleet, "drain", NODE_NAMES[1], "--ignore-daemonsets", f"--timeout={_DRAIN_S:.0f}s")
    fleet.until_gone({pod["metadata"]["uid"] for pod in leaving})
    _kubectl(fleet, "uncordon", NODE_NAMES[1])
    return f"{len(leaving)} pods left the node"


def evictions(fleet: Fleet) -> str:
    """Evict all pods of service and hub, each as soon as its disruption budget allows it: as drains of all nodes do."""
    old = fleet.pods()
    for pod in old:
        name = pod["metadata"]["name"]
        until(f"the eviction of {name} is allowed", lambda name=name: fleet.evicted(name), within_s=_EVICTED_S)
    fleet.until_gone({pod["metadata"]["uid"] for pod in old})
    return f"{len(old)} pods were evicted in a row"


def redis_restart(fleet: Fleet) -> str:
    """Restart Redis as an upgrade of it does."""
    uid = _redis_pod(fleet)["metadata"]["uid"]
    fleet.delete_pod("redis-0")
    _until_redis(fleet, lambda pod: pod["metadata"]["uid"] != uid)
    return "its pod was replaced; the append-only file restored the records"


def redis_kill(fleet: Fleet) -> str:
    """Kill Redis without a warning; its container starts again."""
    before = _redis_pod(fleet)["status"]["containerStatuses"][0]["restartCount"]
    (process,) = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _runs(folder, "redis-server")]
    os.kill(process, signal.SIGKILL)
    _until_redis(fleet, lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] > before)
    return "its process was killed; the append-only file restored the records"


def certificates(fleet: Fleet) -> str:
    """Renew the certificates of service, hub, Redis, Envoy and callers."""
    listeners = fleet.listeners()
    old = {name: certificate_shown(address) for name, address in listeners.items()}
    put(fleet.api, *fleet.materials.certificates().values())
    fleet.materials.issue_for_callers()
    left = set(listeners)

    def renewed() -> bool:
        _reload_redis(fleet)
        left.difference_update(
            name for name in left.copy() if certificate_shown(listeners[name]) not in {"", old[name]}
        )
        return not left

    try:
        until("", renewed, within_s=_REACHED_S)
    except ClusterError:
        raise ClusterError(
            f"After {_REACHED_S:.0f} s these still show their old certificates: {sorted(left)}"
        ) from None
    return f"{len(listeners)} listeners show new certificates, and callers do"


def fleet_keys(fleet: Fleet) -> str:
    """Rotate the fleet keys of service and hub: the new key second, then first, each with a rollout."""
    fleet.materials.add_keys()
    put(fleet.api, *fleet.materials.secrets())
    for order in (["first", "second"], ["second", "first"]):
        fleet.keys = order
        fleet.replace_all("-".join(order))
    return "records are written under the new keys; the old ones still read what is older"


def issuer_keys(fleet: Fleet) -> str:
    """Rotate the key that signs callers' tokens: both keys, then tokens by the new one, then the new one alone."""
    materials = fleet.materials
    (old,), new = materials.issuers, materials.add_issuer()
    put(fleet.api, materials.key_set(old, new))
    until(
        "all pods accept tokens by the new key",
        lambda: all_answer(fleet, new.token("nightly"), known=True),
        within_s=_REACHED_S,
    )
    materials.issuers.append(new)
    # In production, callers keep a token for up to an hour; here they use the new one at their next call.
    put(fleet.api, materials.key_set(new))
    until(
        "no pod accepts tokens by the old key",
        lambda: all_answer(fleet, old.token("nightly"), known=False),
        within_s=_REACHED_S,
    )
    return "all pods accept tokens by the new key alone"


def policy(fleet: Fleet) -> str:
    """Permit another caller and rename the routing rule, which restarts nothing."""
    pods = {pod["metadata"]["uid"] for pod in fleet.pods()}
    if not all_answer(fleet, "", known=False):
        raise ClusterError("The newcomer is not refused before the policy permits it.")
    fleet.newcomer, fleet.rule = True, "everything-by-the-new-policy"
    fleet.put("upgrade")
    until("all pods permit the newcomer", lambda: all_answer(fleet, "", known=True), within_s=_REACHED_S)
    if pods != {pod["metadata"]["uid"] for pod in fleet.pods()}:
        raise ClusterError("A change of the policy replaced pods.")
    return "all pods follow the new policy, and none was restarted"


ALL: Final[Mapping[str, Callable[[Fleet], str]]] = {
    "rolling-update": rolling_update,
    "node-drain": node_drain,
    "evictions": evictions,
    "redis-restart": redis_restart,
    "redis-kill": redis_kill,
    "certificates": certificates,
    "fleet-keys": fleet_keys,
    "issuer-keys": issuer_keys,
    "policy": policy,
}
"""By name, in the order in which they happen."""


def _kubectl(fleet: Fleet, *arguments: str) -> None:
    command = (str(BINARIES / "kubectl"), "--kubeconfig", str(fleet.kubeconfig), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise ClusterError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")


def _redis_pod(fleet: Fleet) -> dict[str, Any]:
    pod = fleet.pod("redis-0")
    if pod is None:
        raise ClusterError("Redis has no pod.")
    return pod


def _until_redis(fleet: Fleet, changed: Callable[[dict[str, Any]], bool]) -> None:
    def back() -> bool:
        pod = fleet.pod("redis-0")
        return pod is not None and changed(pod) and is_ready(pod)

    until("Redis is back", back, within_s=_REDIS_S)
    fleet.until_ready()


def _runs(folder: Path, program: str) -> bool:
    try:
        return program in (folder / "cmdline").read_text()
    except OSError:  # It has just ended.
        return False


def _reload_redis(fleet: Fleet) -> None:
    """Have Redis read its certificate again, which it does not do by itself."""
    store = redis.Redis(
        host=fleet.address_of("redis"),
        port=names.REDIS_PORT,
        password=fleet.materials.password,
        ssl=True,
        ssl_ca_certs=str(fleet.materials.folder / "ca.crt"),
        ssl_check_hostname=False,
    )
    store.config_set("tls-cert-file", "/tls/tls.crt", "tls-key-file", "/tls/tls.key")
    store.close()


def all_answer(fleet: Fleet, token: str, *, known: bool) -> bool:
    """Return whether there are ready pods of the service and all of them know a caller, or all refuse it.

    Args:
        fleet: Where they are.
        token: The caller's; empty: the newcomer, who has none.
        known: Whether they have to know it.
    """
    pods = fleet.ready_pods("service")
    return bool(pods) and all(_knows(fleet, pod["status"]["podIP"], token) is known for pod in pods)


def _knows(fleet: Fleet, address: str, token: str) -> bool | None:
    """Return whether a pod lets a caller ask about an intent; None if it does not answer."""
    folder = fleet.materials.folder
    with payorch.connect(
        f"{address}:{names.GRPC_PORT}",
        tls=payorch.Tls.from_files(
            ca_file=str(folder / "ca.crt"),
            certificate_file=str(folder / "newcomer.pem"),
            key_file=str(folder / "newcomer.key"),
        ),
        token=(lambda _: token) if token else None,
        resend=None,
        options=(("grpc.ssl_target_name_override", names.HEADLESS),),
    ) as client:
        try:
            client.get_intent(
                pb.GetIntentRequest(request_id=_UNKNOWN_ID, operation=pb.OPERATION_CREATE_SESSION), deadline_s=_PROBE_S
            )
        except payorch.PayorchError as failed:
            reason = failed.error.reason
            return reason not in {"CALLER_UNAUTHENTICATED", "CALLER_NOT_PERMITTED"} if reason else None
    return True
