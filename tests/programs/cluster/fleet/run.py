"""Three replicas, Redis, Envoy and the hub in a cluster, under load while pods are replaced and keys are rotated."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from harness.zuora_load import ZuoraLoad

from programs.cluster.api import Api
from programs.cluster.control_plane import ControlPlane
from programs.cluster.fleet import events, names, neighbours, report, truth
from programs.cluster.fleet.callers import Caller, JsonCaller, connected
from programs.cluster.fleet.installed import Fleet
from programs.cluster.fleet.load import Load, Resends
from programs.cluster.fleet.materials import Materials, put
from programs.cluster.gateway import effects
from programs.cluster.helm import Helm
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import LABELS
from programs.cluster.surroundings import HUB_PASSWORD, HUB_USER, ledger_of, outside

CALLS: Final = 50_000
_LASTS_S: Final = 700.0
"""What all events take together, over which the calls are spread."""
_LEAST_CALLS_PER_S: Final = 20.0
_PAYMENTS_PER_S: Final = 5.0
_PAYMENTS_AGAIN_S: Final = 5.0
"""Not so often that a backlog of payments keeps the machine busy."""
_PAUSE_S: Final = 8.0
"""After an event: it counts as part of it, since clients and proxies find what has changed some seconds later."""
_STARTED_S: Final = 60.0
_REPORT_EVERY_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Loads:
    """What goes on while things happen."""

    calls: Load
    payments: ZuoraLoad


def run(plane: ControlPlane, helm: Helm, *, calls: int, chosen: Sequence[str]) -> Iterator[str]:
    """Install the fleet and let everything happen to it; yield what was shown.

    Args:
        plane: The cluster, with nodes.
        helm: Installs.
        calls: How many there must be at least.
        chosen: Names of the events; empty for all.

    Raises:
        ClusterError: A call failed, or what was executed is not what callers were told.
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
    with Resends() as resends, _ongoing(fleet, calls) as loads:
        until("calls are answered", lambda: loads.calls.ended()["answered"] > calls / 1000, within_s=_STARTED_S)
        for name in chosen:
            began_s = perf_counter()
            yield f"{name}: begins"
            shown = events.ALL[name](fleet)
            yield f"{name}: {shown}; {perf_counter() - began_s:.0f} s"
            time.sleep(_PAUSE_S)
            happened.append(report.Event(name, began_s, perf_counter()))
        yield "the rest of the calls"
    made = loads.calls.calls
    yield from report.by_event(made, happened, resends.reasons)
    yield ""
    yield from report.by_kind(made, resends.reasons)
    yield ""
    yield from _reasons(loads, resends)
    entries = truth.executed(fleet.materials.folder / "ca.crt")
    problems = truth.problems(made, entries)
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
    """Yield why requests were sent again, and how Zuora's payments were answered."""
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


def _callers(materials: Materials) -> list[Caller]:
    """Return the callers; each client has a budget of resends of its own, as in processes of their own."""
    direct, through_envoy = f"{names.HEADLESS}:{names.GRPC_PORT}", f"{names.ENVOY}:{names.ENVOY_PORT}"
    watching = [connected("watches health", materials, watching=True, target=direct, token=False) for _ in range(8)]
    plain = [connected("watches no health", materials, watching=False, target=direct, token=True) for _ in range(8)]
    proxied = [
        connected("gRPC through Envoy", materials, watching=False, target=through_envoy, token=False) for _ in range(2)
    ]
    return [
        *watching,
        *plain,
        *proxied,
        *(JsonCaller("JSON through Envoy", "shop", materials.folder) for _ in range(2)),
    ]


@contextmanager
def _ongoing(fleet: Fleet, calls: int) -> Iterator[Loads]:
    """Call and pay until the block ends and there were enough calls, and then until each has a result."""
    address = fleet.address_of(names.HUB), names.HUB_PORT
    payments = ZuoraLoad(
        addresses=lambda: [address],
        path="/upc/main",
        user=HUB_USER,
        password=HUB_PASSWORD,
        payments_per_s=_PAYMENTS_PER_S,
        again_s=_PAYMENTS_AGAIN_S,
    )
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    callers = loop.run_until_complete(_made_in_loop(fleet.materials))
    load = Load(callers, max(calls / _LASTS_S, _LEAST_CALLS_PER_S))

    async def run_all() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run(stop, calls))
            tasks.create_task(payments.run(stop))
        for caller in callers:
            await caller.close()

    ended = threading.Event()
    sender = threading.Thread(target=loop.run_until_complete, args=(run_all(),))
    reporter = threading.Thread(target=_report, args=(load, payments, ended))
    sender.start()
    reporter.start()
    try:
        yield Loads(load, payments)
    except BaseException:
        load.give_up()
        raise
    finally:
        loop.call_soon_threadsafe(stop.set)
        sender.join()
        ended.set()
        reporter.join()
        loop.close()


async def _made_in_loop(materials: Materials) -> list[Caller]:
    """Return the callers, which belong to the loop that made them."""
    return _callers(materials)


def _report(load: Load, payments: ZuoraLoad, ended: threading.Event) -> None:
    began_s = perf_counter()
    while not ended.wait(_REPORT_EVERY_S):
        counted = load.ended()
        print(
            f"    {perf_counter() - began_s:4.0f} s: {counted['answered']} calls answered, "
            f"{counted['again']} sent again by their callers, {counted['failed']} failed; "
            f"{len(payments.approved)} payments; {load.under_way()}",
            flush=True,
        )
