"""Helm as people run it, against the cluster of this run."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from programs.cluster.process import ClusterError

CHART: Final = Path("helm/payorch")
RELEASE: Final = "pay"
_PROGRAM: Final = Path("build/tools/helm")
_TIMEOUT_S: Final = 360.0
# How client-go and Helm mark what the API server or they themselves are not content with.
_COMPLAINTS: Final = ("level=WARN", "level=ERROR", "warnings.go", "Warning:")


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm with the credentials of somebody who may do everything."""

    kubeconfig: Path
    folder: Path
    """Where Helm keeps its caches."""

    def render(self, chart: Path, values: Path, *, namespace: str, kubernetes: str) -> list[dict[str, Any]]:
        """Return the objects of a release with these values, hooks included."""
        text = self.run(
            "template", RELEASE, str(chart), "--values", str(values), "--kube-version", kubernetes, namespace=namespace
        )
        return [one for one in yaml.safe_load_all(text) if one]

    def run(self, *arguments: str, namespace: str) -> str:
        """Run Helm in a namespace and return what it prints.

        Raises:
            ClusterError: It fails, or it complains although it succeeds.
        """
        home = {f"HELM_{one}_HOME": str(self.folder / one.lower()) for one in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(  # noqa: S603 - a tool of ours
            [str(_PROGRAM), *arguments, "--namespace", namespace, "--kubeconfig", str(self.kubeconfig)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={"PATH": os.defpath, "HOME": str(self.folder), **home},
        )
        if done.returncode or any(mark in done.stderr for mark in _COMPLAINTS):
            what = f"helm {' '.join(arguments[:2])} in {namespace}"
            how = f"failed with status {done.returncode}" if done.returncode else "complains"
            raise ClusterError(f"{what} {how}:\n{done.stderr.strip()}")
        return done.stdout
