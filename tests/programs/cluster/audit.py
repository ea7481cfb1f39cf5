"""What the API server wrote down of those requests that change something."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from programs.cluster.process import ClusterError


def helm_was_strict(log: Path) -> str:
    """Require that unknown and doubled fields would have been refused in everything Helm sent, but its own records."""
    sent = [one for one in _requests(log, agent="Helm") if one["objectRef"]["resource"] != "secrets"]
    written = [one for one in sent if one["verb"] in {"create", "patch", "update"}]
    for one in written:
        if "fieldValidation=Strict" not in one["requestURI"]:
            raise ClusterError(f"Helm sent something without strict validation: {one['requestURI']}")
    if not written:
        raise ClusterError("The API server saw nothing of Helm.")
    return f"{len(written)} objects came from Helm, all with strict validation"


def pods_were_judged(log: Path) -> str:
    """Require that every pod the controllers wanted was judged by the newest `restricted` level."""
    wanted = [
        one
        for one in _requests(log, agent="kube-controller-manager")
        if (one["verb"], one["objectRef"]["resource"]) == ("create", "pods")
    ]
    for one in wanted:
        if one["annotations"].get("pod-security.kubernetes.io/enforce-policy") != "restricted:latest":
            raise ClusterError(f"A pod was not judged by Pod Security: {one['requestURI']}")
    statuses = Counter(one["responseStatus"]["code"] for one in wanted)
    if not {201, 403} <= statuses.keys():
        raise ClusterError(f"The controllers' pods should have been admitted, and the weakened refused: {statuses}")
    return (
        f"{statuses[201]} pods of the controllers were admitted by restricted:latest, {statuses[403]} weakened refused"
    )


def _requests(log: Path, *, agent: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [one for one in events if one["userAgent"].startswith(f"{agent}/")]
