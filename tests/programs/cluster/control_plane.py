"""etcd, the API server, the controllers and the scheduler, on the loopback address and with throw-away credentials."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.authority import Authority, private_pem, public_pem, rsa_key
from harness.ports import free_port

from programs.cluster.api import Api
from programs.cluster.process import Started, started, until

BINARIES: Final = Path("build/cluster")
SERVICE_ADDRESSES: Final = "10.96.0.0/16"
API_ADDRESS: Final = "10.96.0.1"
"""The first service address, which the API server takes for itself."""
NODE_NAMES: Final = ("worker", "worker-2")
_START_S: Final = 120.0
# Only requests that change something, each once, with what admission noted on it.
_AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "verbs": ["create", "update", "patch"]}, {"level": "None"}],
}


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running API server with controllers and a scheduler."""

    api: Api
    folder: Path
    authority: Path
    """PEM file of who issued the server's certificate."""
    kubeconfig: Path
    """Of somebody who may do everything."""
    node_kubeconfigs: Mapping[str, Path]
    """Of each of the nodes NODE_NAMES, by name."""
    audit_log: Path


@contextmanager
def control_plane(folder: Path, *, address: str = "127.0.0.1") -> Iterator[ControlPlane]:
    """Run a control plane until the block ends.

    Args:
        folder: An empty folder for its data and logs.
        address: Where the API server is reached.

    Raises:
        ClusterError: Something does not start.
    """
    plane, flags = _prepare(folder, address)
    with ExitStack() as stack:
        etcd_url = f"http://127.0.0.1:{free_port()}"
        etcd = stack.enter_context(started("etcd", _etcd(folder, etcd_url), folder=folder))
        command = (str(BINARIES / "kube-apiserver"), f"--etcd-servers={etcd_url}", *flags)
        server = stack.enter_context(started("kube-apiserver", command, folder=folder))
        _wait_for(plane, "/readyz", processes=(etcd, server))
        clients = [
            stack.enter_context(started(name, command, folder=folder)) for name, command in _clients(plane).items()
        ]
        # The first thing controllers do in a namespace.
        _wait_for(plane, "/api/v1/namespaces/default/serviceaccounts/default", processes=clients)
        yield plane


def _wait_for(plane: ControlPlane, path: str, *, processes: Sequence[Started]) -> None:
    until(f"the API server answers {path}", lambda: plane.api.answers(path), within_s=_START_S, processes=processes)


def _etcd(folder: Path, url: str) -> Sequence[str]:
    return (
        str(BINARIES / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://127.0.0.1:{free_port()}",
        "--unsafe-no-fsync",  # Nothing here needs to outlive the machine.
        "--log-level=warn",
    )


def _prepare(folder: Path, address: str) -> tuple[ControlPlane, Sequence[str]]:
    """Write credentials; return what will run, and the API server's flags."""
    authority = Authority()
    (folder / "ca.crt").write_bytes(authority.certificate)
    certificate, key = authority.issue(address, API_ADDRESS, "kubernetes.default.svc").write(folder, "server")
    # For what kubectl exec and port-forward ask of the kubelet.
    kubelet_client, kubelet_key = authority.issue(organization="system:masters").write(folder, "kubelet-client")
    (folder / "accounts.key").write_bytes(private_pem(rsa_key()))
    (folder / "accounts.pub").write_bytes(public_pem(rsa_key()))
    tokens = {name: secrets.token_urlsafe(32) for name in ("admin", *NODE_NAMES)}
    lines = (
        f'{tokens["admin"]},admin,admin,"system:masters"',
        *(f'{tokens[name]},system:node:{name},{name},"system:nodes"' for name in NODE_NAMES),
    )
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    (folder / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))
    port = free_port()
    url = f"https://{address}:{port}"
    plane = ControlPlane(
        api=Api(url, authority=folder / "ca.crt", token=tokens["admin"]),
        folder=folder,
        authority=folder / "ca.crt",
        kubeconfig=_kubeconfig(folder, url, "admin", tokens["admin"]),
        node_kubeconfigs={name: _kubeconfig(folder, url, name, tokens[name]) for name in NODE_NAMES},
        audit_log=folder / "audit.log",
    )
    flags = (
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--kubelet-client-certificate={kubelet_client}",
        f"--kubelet-client-key={kubelet_key}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        f"--service-cluster-ip-range={SERVICE_ADDRESSES}",
        f"--audit-policy-file={folder / 'audit-policy.json'}",
        f"--audit-log-path={folder / 'audit.log'}",
    )
    return plane, flags


def _kubeconfig(folder: Path, url: str, user: str, token: str) -> Path:
    """Write a kubeconfig; JSON is YAML."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": url, "certificate-authority": str(folder / "ca.crt")}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": user}}],
        "current-context": "here",
    }
    file = folder / f"{user}.kubeconfig"
    file.write_text(json.dumps(content))
    return file


def _clients(plane: ControlPlane) -> dict[str, Sequence[str]]:
    """Return how the controllers and the scheduler are started: each alone, without ports of its own."""
    flags = (f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false", "--secure-port=0")
    accounts = (
        f"--service-account-private-key-file={plane.folder / 'accounts.key'}",
        f"--root-ca-file={plane.authority}",
    )
    return {
        "kube-controller-manager": (str(BINARIES / "kube-controller-manager"), *flags, *accounts),
        "kube-scheduler": (str(BINARIES / "kube-scheduler"), *flags),
    }
