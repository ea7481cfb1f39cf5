"""Two nodes: containerd and the kubelet of each, the proxy of Services and their names, in namespaces of this process.

The nodes share the network of the process, so that one proxy serves both; pods, addresses and groups are their own.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from programs.cluster.api import Object
from programs.cluster.control_plane import BINARIES, NODE_NAMES, ControlPlane
from programs.cluster.process import ClusterError, Started, started, until

ADDRESS: Final = "192.168.77.1"
"""Of the first node, on an interface that leads nowhere."""
_NETWORK_BITS: Final = 24
DOMAIN: Final = "cluster.local"
_READY_S: Final = 120.0
_GONE_S: Final = 30.0
# Where the node's programs write whatever they are told.
_PRIVATE: Final = ("/run", "/var/lib", "/var/log")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_CGROUP: Final = "payorch-cluster"
_CPU_SHARES: Final = 16_384
_CPU_WEIGHT: Final = 1_600
"""The same in version 2: sixteen times what one process has."""
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


@dataclass(frozen=True, slots=True)
class Node:
    """A node that joins the control plane."""

    name: str
    address: str
    pods: str
    """The range of its pods' addresses."""

    @property
    def socket(self) -> Path:
        """Where its containerd listens."""
        return Path("/run", self.name, "containerd.sock")

    def folder(self, plane: ControlPlane) -> Path:
        """Return where its files and logs are."""
        return plane.folder / self.name


NODES: Final = tuple(
    Node(name, f"192.168.77.{number}", f"10.88.{number}.0/24") for number, name in enumerate(NODE_NAMES, start=1)
)


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
    # The names of the cluster, for clients that run outside of pods.
    names = Path("/run/resolv.conf")
    names.write_text(f"nameserver {ADDRESS}\n")
    _command("mount", "--bind", str(names), "/etc/resolv.conf")
    _command("ip", "link", "set", "lo", "up")
    _command("ip", "link", "add", "node0", "type", "bridge")
    for node in NODES:
        _command("ip", "addr", "add", f"{node.address}/{_NETWORK_BITS}", "dev", "node0")
    _command("ip", "link", "set", "node0", "up")
    _command("ip", "route", "add", "default", "dev", "node0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for parent in _cgroup_parents():
        for node in NODES:
            (parent / _CGROUP / node.name).mkdir(parents=True, exist_ok=True)
        # A group counts as one process does, whatever is in it: on a busy machine the cluster would hardly run.
        if (shares := parent / _CGROUP / "cpu.shares").exists():
            shares.write_text(str(_CPU_SHARES))
        elif (weight := parent / _CGROUP / "cpu.weight").exists():
            weight.write_text(str(_CPU_WEIGHT))


@contextmanager
def nodes(plane: ControlPlane, *, images: Sequence[Path]) -> Iterator[None]:
    """Run the nodes until the block ends.

    Args:
        plane: What they join.
        images: Archives of the only images they have.

    Raises:
        ClusterError: Something does not start.
    """
    with ExitStack() as stack:
        processes = [process for node in NODES for process in _joined(stack, plane, node, images)]
        processes += [
            stack.enter_context(started(name, command, folder=plane.folder))
            for name, command in _network_commands(plane).items()
        ]
        until("the nodes are ready", lambda: _ready(plane), within_s=_READY_S, processes=processes)
        yield


def _joined(stack: ExitStack, plane: ControlPlane, node: Node, images: Sequence[Path]) -> tuple[Started, Started]:
    """Start the processes of one node."""
    folder = node.folder(plane)
    folder.mkdir()
    _write_containerd(folder, node)
    command = ("containerd", "--config", str(folder / "containerd.toml"))
    containerd = stack.enter_context(started("containerd", command, folder=folder))
    until(f"containerd of {node.name} answers", node.socket.exists, within_s=_READY_S, processes=(containerd,))
    for image in images:
        _command("ctr", "--address", str(node.socket), "--namespace", "k8s.io", "images", "import", str(image))
    kubelet = stack.enter_context(started("kubelet", _kubelet_command(plane, node), folder=folder))
    return containerd, kubelet


def _ready(plane: ControlPlane) -> bool:
    found: list[Object] = plane.api.get("/api/v1/nodes")["items"]
    ready = [
        node
        for node in found
        if any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in node["status"].get("conditions", ())
        )
    ]
    return len(ready) == len(NODES)


def _write_containerd(folder: Path, node: Node) -> None:
    """Write the configuration of containerd and that of the pods' network."""
    networks = folder / "networks"
    networks.mkdir()
    # Point to point, so that all traffic of pods is routed and meets the rules of the proxy.
    ptp = {"type": "ptp", "ipam": {"type": "host-local", "subnet": node.pods, "routes": [{"dst": "0.0.0.0/0"}]}}
    content = {"cniVersion": "0.4.0", "name": node.name, "plugins": [{**ptp, "dataDir": str(folder / "addresses")}]}
    (networks / "10-pods.conflist").write_text(json.dumps(content))
    (folder / "containerd.toml").write_text(f"""version = 2
root = "{folder / "containerd"}"
state = "{node.socket.parent}"
[grpc]
address = "{node.socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{_SANDBOX}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{_CNI_PROGRAMS}"
conf_dir = "{networks}"
""")


def _kubelet_command(plane: ControlPlane, node: Node) -> Sequence[str]:
    folder = node.folder(plane)
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.authority)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_CGROUP}/{node.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        # Each kubelet removes the logs of pods that are not its own.
        "podLogsDir": f"/var/log/pods/{node.name}",
        "clusterDNS": [ADDRESS],
        "clusterDomain": DOMAIN,
        "resolvConf": "",
    }
    (folder / "kubelet.json").write_text(json.dumps(kubelet))
    return (
        str(BINARIES / "kubelet"),
        f"--config={folder / 'kubelet.json'}",
        f"--kubeconfig={plane.node_kubeconfigs[node.name]}",
        f"--root-dir={folder / 'kubelet'}",
        f"--cert-dir={folder / 'kubelet'}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    )


def _network_commands(plane: ControlPlane) -> dict[str, Sequence[str]]:
    """Return how the proxy of Services and their names are started."""
    (plane.folder / "Corefile").write_text(f"""{DOMAIN}:53 {{
    bind {ADDRESS}
    errors
    kubernetes {DOMAIN} {{
        kubeconfig {plane.kubeconfig}
    }}
}}
""")
    return {
        "kube-proxy": (
            str(BINARIES / "kube-proxy"),
            f"--kubeconfig={plane.kubeconfig}",
            f"--hostname-override={NODE_NAMES[0]}",
            "--proxy-mode=nftables",
            "--conntrack-max-per-core=0",
        ),
        "coredns": (str(BINARIES / "coredns"), "-conf", str(plane.folder / "Corefile")),
    }


def _command(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise ClusterError(f"{' '.join(command[:5])} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
