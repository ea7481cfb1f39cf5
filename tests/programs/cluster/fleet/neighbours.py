"""What runs beside the fleet in the cluster: Redis with an append-only file on a volume, and Envoy in front."""

from pathlib import Path
from typing import Any, Final

import yaml
from gateway.texts import blocks

from programs.cluster.api import Object
from programs.cluster.control_plane import NODE_NAMES
from programs.cluster.fleet import names
from programs.cluster.fleet.materials import config_map, secret

_IMAGE: Final = "localhost/payorch-test-neighbours:1"
_ENVOY_CONFIGURATION: Final = Path("clients/envoy/envoy.yaml")
_DESCRIPTORS: Final = Path("build/clients")
_LISTENER, _UPSTREAM, _MESH, _OWN, _AUTHORITIES = range(5)
"""The settings of docs/gateway.md, in their order."""
_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD_SECURITY: Final = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
_CPU: Final = "200m"


def redis(folder: Path, password: str) -> tuple[Object, ...]:
    """Return Redis as recovery.md wants it: an append-only file, on a volume that outlives pods; and TLS.

    Args:
        folder: What the volume is on the machine.
        password: What clients show.
    """
    configuration = f"""port 0
tls-port {names.REDIS_PORT}
tls-cert-file /tls/tls.crt
tls-key-file /tls/tls.key
tls-ca-cert-file /tls/ca.crt
tls-auth-clients no
requirepass {password}
maxmemory-policy noeviction
save ""
appendonly yes
dir /data
"""
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "redis"},
        "spec": {
            "accessModes": claim["accessModes"],
            "storageClassName": "",
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": str(folder)},
        },
    }
    volumes = [
        {"name": "configuration", "secret": {"secretName": "redis-configuration"}},
        {"name": "tls", "secret": {"secretName": "redis-tls"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "redis"}},
    ]
    mounts = {"configuration": "/etc/redis", "tls": "/tls", "data": "/data"}
    pod = _pod("redis", ["/bin/redis-server", "/etc/redis/redis.conf"], names.REDIS_PORT, volumes, mounts)
    workload = _workload("StatefulSet", "redis", pod) | {}
    workload["spec"]["serviceName"] = "redis"
    return (
        volume,
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "redis"}, "spec": claim},
        secret("redis-configuration", {"redis.conf": configuration.encode()}),
        _service("redis", names.REDIS_PORT),
        workload,
    )


def envoy() -> tuple[Object, ...]:
    """Return Envoy with the published configuration and the settings that docs/gateway.md shows."""
    content = config_map(
        "envoy",
        {"envoy.yaml": _envoy_configuration(), "strict_json.lua": (_DESCRIPTORS / "strict_json.lua").read_text()},
        {"payorch.binpb": (_DESCRIPTORS / "payorch.binpb").read_bytes()},
    )
    shown = blocks("docs/gateway.md", "yaml")
    files = config_map("envoy-secrets", {"own.yaml": shown[_OWN], "authorities.yaml": shown[_AUTHORITIES]})
    volumes = [
        {"name": "configuration", "configMap": {"name": "envoy"}},
        {"name": "secrets", "configMap": {"name": "envoy-secrets"}},
        {"name": "tls", "secret": {"secretName": "envoy-tls"}},
    ]
    mounts = {"configuration": "/etc/envoy/configuration", "secrets": "/etc/envoy/secrets", "tls": "/etc/envoy/tls"}
    command = ["/bin/envoy", "-c", "/etc/envoy/configuration/envoy.yaml", "--concurrency", "1", "--disable-hot-restart"]
    pod = _pod("envoy", command, names.ENVOY_PORT, volumes, mounts)
    return content, files, _service("envoy", names.ENVOY_PORT), _workload("Deployment", "envoy", pod)


def mesh_peers() -> dict[str, Any]:
    """Return the service's setting for Envoy, as docs/gateway.md shows it."""
    shown: dict[str, Any] = yaml.safe_load(blocks("docs/gateway.md", "yaml")[_MESH])["identity"]["mesh"]
    return shown


def _envoy_configuration() -> str:
    document = yaml.safe_load(_ENVOY_CONFIGURATION.read_text())
    shown = [yaml.safe_load(text.replace("payorch.payments.svc", names.HEADLESS)) for text in _transport_sockets()]
    (listener,), (cluster,) = (document["static_resources"][kind] for kind in ("listeners", "clusters"))
    listener["address"]["socket_address"] = {"address": "0.0.0.0", "port_value": names.ENVOY_PORT}  # noqa: S104 - in a pod
    listener["filter_chains"][0]["transport_socket"] = shown[_LISTENER]
    cluster["transport_socket"] = shown[_UPSTREAM]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"] = {"address": names.HEADLESS, "port_value": names.GRPC_PORT}
    text = yaml.safe_dump(document, default_flow_style=None, width=1000)
    return text.replace(f"{_DESCRIPTORS}/", "/etc/envoy/configuration/")


def _transport_sockets() -> tuple[str, str]:
    shown = blocks("docs/gateway.md", "yaml")
    return shown[_LISTENER], shown[_UPSTREAM]


def _pod(
    name: str, command: list[str], port: int, volumes: list[dict[str, Any]], mounts: dict[str, str]
) -> dict[str, Any]:
    """Return a pod's spec, on the node that is not drained."""
    container = {
        "name": name,
        "image": _IMAGE,
        "imagePullPolicy": "Never",
        "command": command,
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "securityContext": _SECURITY,
        "resources": {"requests": {"cpu": _CPU}},
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, path in mounts.items()],
    }
    return {
        "nodeSelector": {"kubernetes.io/hostname": NODE_NAMES[0]},
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": _POD_SECURITY,
        "containers": [container],
        "volumes": volumes,
    }


def _workload(kind: str, name: str, pod: dict[str, Any]) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _service(name: str, port: int) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
