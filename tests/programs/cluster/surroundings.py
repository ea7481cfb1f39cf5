"""What the pods of a release need around them: an emulator of Zuora, Redis, a gateway, secrets and certificates."""

import base64
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from harness.authority import Authority, Issuer, key_set
from harness.keyring import new_key_file
from harness.redis_server import find_server
from zuora_emulator import seed

from programs.cluster.api import Api, Object
from programs.cluster.node import ADDRESS
from programs.cluster.process import Started, started, until
from programs.cluster.scenario import LABELS

_ZUORA_PORT: Final = 443
_REDIS_PORT: Final = 6379
GATEWAY_PORT: Final = 50051
HUB_USER: Final = "zuora"
HUB_PASSWORD: Final = "of-the-hub"
_SERVERS_S: Final = 20.0


def ledger_of(folder: Path) -> Path:
    """Return the file in which the gateway notes what it has done."""
    return folder / "gateway-ledger.jsonl"


def authority_of(folder: Path) -> Path:
    """Return the PEM file of who issued the emulator's certificate."""
    return folder / "zuora-ca.crt"


@contextmanager
def surroundings(api: Api, folder: Path, *, namespace: str, service: str) -> Iterator[None]:
    """Make a namespace with everything in it that the chart's values name, and run what is outside of the cluster.

    Args:
        api: The API server.
        folder: Where logs and credentials are written.
        namespace: What is made.
        service: The name by which callers know the service; its certificate is for that.
    """
    metadata = {"name": namespace, "labels": LABELS}
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    authority = Authority()
    with outside(api, folder, authority, namespace=namespace):
        for made in _named_by_values(authority, service):
            api.create(api.resource_of(made).path(namespace), made)
        yield


@contextmanager
def outside(api: Api, folder: Path, authority: Authority, *, namespace: str, redis: bool = True) -> Iterator[None]:
    """Run what is outside of the cluster, and give it names inside: the emulator, a gateway and, if asked for, Redis.

    Args:
        api: The API server.
        folder: Where logs and credentials are written.
        authority: Who issues the emulator's certificate.
        namespace: Where the names are.
        redis: Whether Redis is there, too.
    """
    authority_of(folder).write_bytes(authority.certificate)
    certificate, key = authority.issue("zuora", ADDRESS).write(folder, "zuora")
    emulator = (sys.executable, "-m", "programs.cluster.upstream", "--host", ADDRESS, "--port", str(_ZUORA_PORT))
    gateway = (sys.executable, "-m", "programs.cluster.gateway", "--host", ADDRESS, "--port", str(GATEWAY_PORT))
    store = (find_server(), "--bind", ADDRESS, "--port", str(_REDIS_PORT), "--protected-mode", "no", "--save", "")
    commands = {
        "zuora": ((*emulator, "--certificate", certificate, "--key", key), _ZUORA_PORT),
        "gateway": ((*gateway, "--ledger", str(ledger_of(folder))), GATEWAY_PORT),
    }
    if redis:
        commands["redis"] = ((*store, "--maxmemory-policy", "noeviction"), _REDIS_PORT)
    with ExitStack() as stack:
        processes = tuple(
            stack.enter_context(started(name, command, folder=folder)) for name, (command, _) in commands.items()
        )
        for name, (_, port) in commands.items():
            _wait_for(name, port, processes)
            for made in _name_outside(name, port):
                api.create(api.resource_of(made).path(namespace), made)
        yield


def _wait_for(name: str, port: int, processes: tuple[Started, ...]) -> None:
    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((ADDRESS, port)) == 0

    until(f"{name} listens", listens, within_s=_SERVERS_S, processes=processes)


def _named_by_values(authority: Authority, service: str) -> tuple[Object, ...]:
    """Return the Secrets and the ConfigMap that values.yaml and ci/mtls-values.yaml name."""
    server, hub = authority.issue(service), authority.issue("hub.example.com")
    tls = {"tls.crt": server.certificate, "tls.key": server.key, "ca.crt": authority.certificate}
    keys = {"jwks.json": key_set(Issuer()).decode()}
    return (
        _secret("payorch-zuora", {"client_secret": seed.CLIENT_A.client_secret.encode()}),
        _secret("payorch-fleet", {"key": new_key_file().encode(), "ca.crt": authority.certificate}),
        _secret("payorch-tls", tls),
        _secret("payorch-upc-credentials", {"new": HUB_PASSWORD.encode()}),
        _secret("payorch-upc-fleet", {"key": new_key_file().encode()}),
        _secret("payorch-upc-tls", {"tls.crt": hub.certificate, "tls.key": hub.key}),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "payorch-key-set"}, "data": keys},
    )


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
