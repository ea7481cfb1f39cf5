"""Three replicas, Redis, Envoy and the hub in a cluster, under load while pods are replaced and keys are rotated."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Final

from programs.cluster.api import Api
from programs.cluster.control_plane import ControlPlane
from programs.cluster.fleet import events, names, neighbours, reconciliation, report
from programs.cluster.fleet.installed import Fleet
from programs.cluster.fleet.load import Resends
from programs.cluster.fleet.materials import Materials, put
from programs.cluster.fleet.ongoing import Loads, ongoing
from programs.cluster.gateway import effects
from programs.cluster.helm import Helm
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import LABELS
from programs.cluster.surroundings import ledger_of, outside

CALLS: Final = 50_000
_PAUSE_S: Final = 8.0
"""A pause that counts as part of the event before it: clients and proxies notice changes some seconds later."""
_STARTED_S: Final = 60.0


def run(plane: ControlPlane, helm: Helm, *, calls: int, chosen: Sequence[str]) -> Iterator[str]:
    """Install the fleet and put it through the events under load; yield the lines of the report.

    Args:
        plane: The control plane of a cluster with nodes.
        helm: Installs the charts.
        calls: The least number of calls.
        chosen: Names of the events; empty for all.

    Raises:
        ClusterError: A call failed, or the ledger contradicts the answers of callers.
    """
    folder = plane.folder / "fleet"
    folder.mkdir()
    materials = Materials(folder)
    materials.issue_for_callers()
    fleet = Fleet(plane.api, helm, folder, plane.kubeconfig, materials)
    _make_namespace(plane.api)
    with outside(plane.api, folder, materials.authority, namespace=names.NAMESPACE, redis=False):
        put(plane.api, *materials.certificates().values(), *materials.secrets())
        data = folder / "redis"
        data.mkdir()
        data.chmod(0o777)
        put(plane.api, *neighbours.redis(data, materials.password), *neighbours.envoy())
        fleet.put("install")
        fleet.until_ready()
        yield "3 replicas with TLS, 2 of the hub, Redis over TLS with an append-only file, and Envoy are ready"
        yield from _under_load(fleet, calls=calls, chosen=chosen or tuple(events.ALL))


def _under_load(fleet: Fleet, *, calls: int, chosen: Sequence[str]) -> Iterator[str]:
    happened: list[report.Event] = []
    with Resends() as resends, ongoing(fleet, calls) as loads:
        until("calls are answered", lambda: loads.calls.ended()["answered"] > calls / 1000, within_s=_STARTED_S)
        for name in chosen:
            began_s = perf_counter()
            yield f"{name}: begins"
            shown = events.ALL[name](fleet)
            yield f"{name}: {shown}; {perf_counter() - began_s:.0f} s"
            time.sleep(_PAUSE_S)
            happened.append(report.Event(name, began_s, perf_counter()))
        yield "the rest of the calls"
    fleet.require_no_restarts()
    made = loads.calls.calls
    yield from report.by_event(made, happened, resends.reasons)
    yield ""
    yield from report.by_kind(made, resends.reasons)
    yield ""
    yield from _reasons(loads, resends)
    entries = reconciliation.executed(fleet.materials.folder / "ca.crt")
    problems = reconciliation.problems(made, entries)
    problems += loads.payments.problems(effects(ledger_of(fleet.folder)))
    lost = sum(call.effect is None for call in made)
    errors = sum(len(call.errors) for call in made) + sum(map(len, resends.reasons.values()))
    yield (
        f"{len(made)} calls, {errors} errors, {lost} lost; {len(entries)} executed once each, "
        f"{len(loads.payments.started)} payments through the hub"
    )
    if lost:
        failed = Counter(call.errors[-1] for call in made if call.effect is None)
        problems += [f"{count} calls failed: {error}" for error, count in failed.most_common()]
    if problems:
        raise ClusterError("\n".join(problems))


def _reasons(loads: Loads, resends: Resends) -> Iterator[str]:
    """Yield why requests were resent, and how the hub answered payments."""
    inside = Counter(reason for reasons in resends.reasons.values() for reason in reasons)
    beyond = Counter(error[:90] for call in loads.calls.calls for error in call.errors)
    for who, counted in (("clients resent after", inside), ("callers sent again after", beyond)):
        for reason, count in counted.most_common(12):
            yield f"{who} {reason}: {count}"
    answers = ", ".join(f"{count} {answer}" for answer, count in sorted(loads.payments.answers.items()))
    yield f"payments were answered: {answers}"


def _make_namespace(api: Api) -> None:
    metadata = {"name": names.NAMESPACE, "labels": LABELS}
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
