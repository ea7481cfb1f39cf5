"""Installs the chart into a real Kubernetes API server, in every scenario of helm/payorch/ci, and if asked runs it."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from harness.released import RELEASES, VECTORS

from programs.cluster import admission, audit, hub_live, live, node, release
from programs.cluster.control_plane import BINARIES, ControlPlane, control_plane
from programs.cluster.fleet import events
from programs.cluster.fleet import run as fleet
from programs.cluster.helm import CHART, Helm
from programs.cluster.process import ClusterError
from programs.cluster.scenario import prepared
from programs.cluster.surroundings import surroundings

_SHOWN: Final = """
Shown: every scenario is accepted, admitted, installed and removed by the API server and the controllers of Kubernetes.
Not shown: the kinds of operators were accepted whatever they held."""
_NOT_WITHOUT_NODE: Final = """
Also not shown: there was no node, so no pod ran, no probe was asked and `helm test` was not run. NODE=1 does that."""
_SHOWN_ON_NODE: Final = """
Shown on a node of containerd and a kubelet: the chart with the image of this tree becomes ready, passes `helm test`,
answers the commands of docs/tracing.md, is replaced under calls, and goes away; so does the hub, under Zuora's payments
over TLS."""
_SHOWN_BY_FLEET: Final = """
The fleet on two nodes lost none of the calls that its tables count, under the events that they name.
Not shown: NetworkPolicies, which nothing enforced; more than one machine."""
_IMAGES: Final = ("sandbox.tar", "payorch.tar", "neighbours.tar")
_POD_LOGS: Final = Path("/var/log/pods")


def main() -> int:
    """Run; return 0 if everything is as it must be, or else 1."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begun = perf_counter()
    runs = BINARIES / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    folder = given.folder or Path(tempfile.mkdtemp(dir=runs)).resolve()
    try:
        if given.node and not given.folder:
            status = node.run_apart(sys.executable, "-m", "programs.cluster", *sys.argv[1:], "--folder", str(folder))
        else:
            status = _run(folder, given)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        if any(folder.iterdir()):
            print(f"Logs are in {folder}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not status and not given.folder:
        shutil.rmtree(folder)
        _say(f"Done in {perf_counter() - begun:.0f} s.")
    return status


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments; exit if they ask for a part of what runs on nodes, and for no node."""
    parser = argparse.ArgumentParser(prog="python -m programs.cluster", description=__doc__)
    parser.add_argument("--node", action="store_true", help="also run the chart on a node; needs root")
    parser.add_argument("--only-fleet", action="store_true", help="leave out all that comes before the fleet")
    parser.add_argument("--calls", type=int, default=fleet.CALLS, help="on the fleet, at least (default %(default)s)")
    parser.add_argument(
        "--events", nargs="*", choices=tuple(events.ALL), default=(), help="of the fleet; all unless given"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # Of a run in namespaces of its own.
    given = parser.parse_args(words)
    if not given.node and (given.only_fleet or given.events):
        parser.error("the fleet runs on nodes: add NODE=1")
    return given


def closing(given: argparse.Namespace) -> str:
    """Return what a run has shown, and what it has not."""
    if not given.node:
        return _SHOWN + _NOT_WITHOUT_NODE
    return _SHOWN_BY_FLEET if given.only_fleet else _SHOWN + _SHOWN_ON_NODE + _SHOWN_BY_FLEET


def _run(folder: Path, given: argparse.Namespace) -> int:
    if given.node:
        node.prepare()
    _say("Starting etcd and Kubernetes")
    with control_plane(folder, address=node.ADDRESS if given.node else "127.0.0.1") as plane:
        version = plane.api.get("/version")["gitVersion"]
        _say(f"Kubernetes {version} is ready")
        helm = Helm(plane.kubeconfig, folder / "helm")
        if not given.only_fleet:
            _try_scenarios(plane, helm, version)
        if given.node:
            _try_nodes(plane, helm, given)
    _say(closing(given))
    return 0


def _try_scenarios(plane: ControlPlane, helm: Helm, version: str) -> None:
    scenarios = sorted((CHART / "ci").glob("*-values.yaml"))
    for number, values in enumerate(scenarios):
        _say(str(values))
        scenario = prepared(plane.api, helm, values, kubernetes=version)
        steps = [admission.objects_are_accepted, release.install, admission.pods_are_admitted]
        if not number:
            steps += [admission.weak_deployment_is_noticed, release.change_and_go_back]
        for step in (*steps, release.uninstall):
            _say(f"  {step(scenario)}")
    for version_before in RELEASES:
        folder = VECTORS / version_before
        _say(f"{folder}: upgrade of a released chart")
        scenario = prepared(plane.api, helm, folder / "values.yaml", kubernetes=version, chart=folder / "chart.tgz")
        for step in (release.install, release.upgrade_and_go_back, release.uninstall):
            _say(f"  {step(scenario)}")
    _say(f"{len(scenarios)} scenarios installed and removed, {len(RELEASES)} released charts upgraded")
    _say(f"audit log\n  {audit.helm_was_strict(plane.audit_log)}\n  {audit.pods_were_judged(plane.audit_log)}")


def _try_nodes(plane: ControlPlane, helm: Helm, given: argparse.Namespace) -> None:
    _say("nodes")
    with node.nodes(plane, images=[BINARIES / name for name in _IMAGES]):
        _say("  containerd and the kubelet of two nodes, the proxy of Services and their names are ready")
        try:
            if not given.only_fleet:
                _try_releases(plane, helm)
            _say("a fleet")
            _say_each(fleet.run(plane, helm, calls=given.calls, chosen=given.events))
        except ClusterError:
            shutil.copytree(_POD_LOGS, plane.folder / "pods")
            raise


def _try_releases(plane: ControlPlane, helm: Helm) -> None:
    folder = plane.folder / "live"
    folder.mkdir()
    installed = live.Release(helm, folder / "values.yaml")
    with surroundings(plane.api, folder, namespace=live.NAMESPACE, service=live.SERVICE):
        _say_each(live.run(plane.api, installed, plane.kubeconfig))
        _say_each(hub_live.run(plane.api, installed, folder))


def _say_each(shown: Iterable[str]) -> None:
    for text in shown:
        _say(f"  {text}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
