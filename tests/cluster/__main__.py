"""Installs the chart into a real Kubernetes API server, in every scenario of helm/payorch/ci."""

import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from cluster import admission, audit, release
from cluster.control_plane import ControlPlane, control_plane
from cluster.helm import CHART, Helm
from cluster.process import ClusterError
from cluster.scenario import prepared

_NOT_TRIED: Final = """
Shown: every scenario is accepted, admitted, installed and removed by the API server and the controllers of Kubernetes.
Not shown: there is no node, so no pod ran, no probe was asked, no NetworkPolicy was enforced, and `helm test` was not
run. The kinds of operators were accepted whatever they held."""
_WORK: Final = Path("build/cluster/runs")


def main() -> int:
    """Run; return 0 if everything is as it must be, or else 1."""
    _WORK.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=_WORK)).resolve()
    begun = perf_counter()
    try:
        with control_plane(folder) as plane:
            _say(f"the API server is ready after {perf_counter() - begun:.0f} s")
            _try_all(plane)
            _say(f"{audit.helm_was_strict(plane.audit_log)}\n{audit.pods_were_judged(plane.audit_log)}")
    except ClusterError as error:
        print(f"cluster: {error}\nLogs are in {folder}.", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    _say(f"{_NOT_TRIED}\nDone in {perf_counter() - begun:.0f} s.")
    return 0


def _try_all(plane: ControlPlane) -> None:
    version = plane.api.get("/version")["gitVersion"]
    _say(f"Kubernetes {version}")
    helm = Helm(plane.kubeconfig, plane.folder / "helm")
    for number, values in enumerate(sorted((CHART / "ci").glob("*-values.yaml"))):
        _say(str(values))
        scenario = prepared(plane.api, helm, values, kubernetes=version)
        steps = [admission.objects_are_accepted, release.install, admission.pods_are_admitted]
        if not number:
            steps += [admission.weak_deployment_is_noticed, release.change_and_go_back]
        for step in (*steps, release.uninstall):
            _say(f"  {step(scenario)}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
