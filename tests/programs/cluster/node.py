"""A node: containerd, the kubelet, the proxy of Services and their names, in namespaces that end with this process."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from programs.cluster.api import Object
from programs.cluster.control_plane import BINARIES, NODE_NAME, ControlPlane
from programs.cluster.process import ClusterError, started, until

ADDRESS: Final = "192.168.77.1"
"""Of the node, on an interface that leads nowhere."""
_PODS: Final = "10.88.0.0/24"
_DOMAIN: Final = "cluster.local"
_READY_S: Final = 120.0
_GONE_S: Final = 30.0
# Where the node's programs write whatever they are told.
_PRIVATE: Final = ("/run", "/var/lib", "/var/log")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_CGROUP: Final = "payorch-cluster"
# What the node is made of, and Debian's package of it.
_PROGRAMS: Final = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "containerd": "containerd",
    "runc": "runc",
}
_SANDBOX: Final = "localhost/payorch-test-sandbox:1"
_CNI_PROGRAMS: Final = "/usr/lib/cni"


def run_apart(*command: str) -> int:
    """Run a program as root of namespaces of its own, and return its exit status; nothing of a node outlives it.

    Raises:
        ClusterError: This machine or this user cannot have a node.
    """
    if os.geteuid():
        raise ClusterError("A node needs root, in namespaces of its own.")
    packages = {package for program, package in _PROGRAMS.items() if not shutil.which(program)}
    if not Path(_CNI_PROGRAMS).is_dir():
        packages.add("containernetworking-plugins")
    if packages:
        raise ClusterError(f"A node needs more programs. Debian: apt-get install {' '.join(sorted(packages))}")
    apart = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    try:
        return subprocess.run([*apart, *command], check=False).returncode  # noqa: S603 - ours
    finally:
        until("the groups of killed processes are empty", _removed_groups, within_s=_GONE_S)


def _removed_groups() -> bool:
    """Remove the groups of the node's processes; a group cannot be removed before its last process has ended."""
    for parent in _cgroup_parents():
        for one in sorted([parent / _CGROUP, *(parent / _CGROUP).rglob("*/")], reverse=True):
            try:
                one.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
    return True


def _cgroup_parents() -> list[Path]:
    """Return where this kernel has groups of processes: one folder, or in version 1 one for each controller."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [one for one in _CGROUPS.iterdir() if one.is_dir() and not one.is_symlink()]


def prepare() -> None:
    """Make the namespaces of this process fit for a node: an address, folders and groups of its own.

    Raises:
        ClusterError: The kernel refuses.
    """
    _command("mount", "--make-rshared", "/")
    for folder in _PRIVATE:
        _command("mount", "-t", "tmpfs", "tmpfs", folder)
    _command("ip", "link", "set", "lo", "up")
    _command("ip", "link", "add", "node0", "type", "bridge")
    _command("ip", "addr", "add", f"{ADDRESS}/24", "dev", "node0")
    _command("ip", "link", "set", "node0", "up")
    _command("ip", "route", "add", "default", "dev", "node0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for parent in _cgroup_parents():
        (parent / _CGROUP).mkdir(exist_ok=True)


@contextmanager
def node(plane: ControlPlane, *, images: Sequence[Path]) -> Iterator[None]:
    """Run a node until the block ends.

    Args:
        plane: What it joins.
        images: Archives of the only images it has.

    Raises:
        ClusterError: Something does not start.
    """
    folder = plane.folder
    with ExitStack() as stack:
        socket = _write_containerd(folder)
        command = ("containerd", "--config", str(folder / "containerd.toml"))
        containerd = stack.enter_context(started("containerd", command, folder=folder))
        until("containerd answers", socket.exists, within_s=_READY_S, processes=(containerd,))
        for image in images:
            _command("ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "import", str(image))
        processes = [
            stack.enter_context(started(name, command, folder=folder))
            for name, command in _commands(plane, socket).items()
        ]
        until("the node is ready", lambda: _ready(plane), within_s=_READY_S, processes=(containerd, *processes))
        yield


def _ready(plane: ControlPlane) -> bool:
    nodes: list[Object] = plane.api.get("/api/v1/nodes")["items"]
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for one in nodes
        for condition in one["status"].get("conditions", ())
    )


def _write_containerd(folder: Path) -> Path:
    """Write containerd's configuration and that of the pods' network; return its socket."""
    networks = folder / "networks"
    networks.mkdir()
    # Point to point, so that all traffic of pods is routed and meets the rules of the proxy.
    ptp = {"type": "ptp", "ipam": {"type": "host-local", "subnet": _PODS, "routes": [{"dst": "0.0.0.0/0"}]}}
    content = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{**ptp, "dataDir": str(folder / "addresses")}]}
    (networks / "10-pods.conflist").write_text(json.dumps(content))
    socket = Path("/run/containerd/containerd.sock")
    (folder / "containerd.toml").write_text(f"""version = 2
root = "{folder / "containerd"}"
state = "/run/containerd"
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{_SANDBOX}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{_CNI_PROGRAMS}"
conf_dir = "{networks}"
""")
    return socket


def _commands(plane: ControlPlane, socket: Path) -> dict[str, Sequence[str]]:
    folder = plane.folder
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.authority)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [ADDRESS],
        "clusterDomain": _DOMAIN,
        "resolvConf": "",
    }
    (folder / "kubelet.json").write_text(json.dumps(kubelet))
    (folder / "Corefile").write_text(f"""{_DOMAIN}:53 {{
    bind {ADDRESS}
    errors
    kubernetes {_DOMAIN} {{
        kubeconfig {plane.kubeconfig}
    }}
}}
""")
    return {
        "kubelet": (
            str(BINARIES / "kubelet"),
            f"--config={folder / 'kubelet.json'}",
            f"--kubeconfig={plane.node_kubeconfig}",
            f"--root-dir={folder / 'kubelet'}",
            f"--cert-dir={folder / 'kubelet'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={ADDRESS}",
        ),
        "kube-proxy": (
            str(BINARIES / "kube-proxy"),
            f"--kubeconfig={plane.kubeconfig}",
            f"--hostname-override={NODE_NAME}",
            "--proxy-mode=nftables",
            "--conntrack-max-per-core=0",
        ),
        "coredns": (str(BINARIES / "coredns"), "-conf", str(folder / "Corefile")),
    }


def _command(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise ClusterError(f"{' '.join(command[:5])} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
