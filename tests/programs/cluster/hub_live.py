"""The hub on a node: it answers over TLS, calls a gateway outside, and is replaced under payments without an Error."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from harness.upc_bodies import example
from harness.zuora_load import ZuoraLoad

from programs.cluster import confinement
from programs.cluster.api import Api
from programs.cluster.gateway import effects
from programs.cluster.live import GONE_S, NAMESPACE, PROGRAM, SERVICE, Release, pods, require_no_restarts
from programs.cluster.process import ClusterError, until
from programs.cluster.scenario import inventory
from programs.cluster.surroundings import GATEWAY_PORT, HUB_PASSWORD, HUB_USER, ledger_of

_HUB: Final = f"{SERVICE}-upc"
_READY_S: Final = 60.0
_PAYMENTS_PER_S: Final = 20.0
_BEGUN: Final = 20
"""Payments before the first pod ends."""


def values(replicas: int) -> dict[str, Any]:
    """Return what the hub needs over the values of the service: one hub, one gateway, and a store that is new."""
    payment = example("Payment")
    hub = {
        "tenants": [payment["tenantId"]],
        "credentials": [{"user": HUB_USER, "password_file": "/etc/payorch/upc/new"}],
    }
    gateway = {
        "hub": "main",
        "names": [payment["paymentGatewayName"]],
        "types": [payment["paymentMethod"]["type"]],
        "target": f"dns:///gateway:{GATEWAY_PORT}",
    }
    upc = {"hubs": {"main": hub}, "gateways": {"outside": gateway}}
    store = {"url": "redis://redis:6379/1"}
    return {
        "upc": {
            "enabled": True,
            "replicas": replicas,
            "declareFirstStart": True,
            "config": {"upc": upc, "store": store},
        }
    }


def run(api: Api, release: Release, folder: Path) -> Iterator[str]:
    """Take a release with a hub through its life; yield what was shown."""
    before = inventory(api, NAMESPACE)
    file = folder / "hub-values.yaml"
    file.write_text(yaml.safe_dump(values(replicas=2)))
    more = ("--values", str(file))
    release.put("install", *more, replicas=0)
    until("the hubs know their store and their gateway", lambda: _are_connected(api), within_s=_READY_S)
    yield "2 pods of the hub are ready, find the gateway by name, and know that their store is a new one"
    release.test("--filter", f"name={_HUB}-test-health")
    yield "helm test passes: its pod is answered by the hub over TLS"
    yield confinement.shown(PROGRAM, count=2)
    with _payments(api) as load:
        until("payments come in", lambda: len(load.approved) > _BEGUN, within_s=_READY_S)
        old = pods(api)
        release.put("upgrade", *more, "--set", "podAnnotations.changed=yes", replicas=0)
        until("the old pods are gone", lambda: not old & pods(api), within_s=GONE_S)
    moved = effects(ledger_of(folder))
    if problems := load.problems(moved):
        raise ClusterError(" ".join(problems))
    sends = ", ".join(f"{count} {answer}" for answer, count in sorted(load.answers.items()))
    yield (
        f"{len(load.started)} payments over TLS while all pods were replaced: all approved, money moved once for each, "
        f"no answer meant Error ({sends})"
    )
    require_no_restarts(api)
    release.remove(api, before)
    yield "uninstalled; every pod ended by itself, and nothing is left"


def _are_connected(api: Api) -> bool:
    found = [pod["status"].get("podIP") for pod in api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]]
    states = []
    for address in filter(None, found):
        with urllib.request.urlopen(f"http://{address}:9464/readyz", timeout=5) as answer:
            states.append(json.load(answer))
    return bool(states) and all(
        state["epoch"]["declared"] and set(state["gateways"].values()) == {"READY"} for state in states
    )


@contextmanager
def _payments(api: Api) -> Iterator[ZuoraLoad]:
    """Send payments through the Service until the block ends, and then until each has a result."""
    spec = api.get(f"/api/v1/namespaces/{NAMESPACE}/services/{_HUB}")["spec"]
    address = spec["clusterIP"], int(spec["ports"][0]["port"])
    load = ZuoraLoad(
        addresses=lambda: [address],
        path="/upc/main",
        user=HUB_USER,
        password=HUB_PASSWORD,
        payments_per_s=_PAYMENTS_PER_S,
    )
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    sender = threading.Thread(target=loop.run_until_complete, args=(load.run(stop),))
    sender.start()
    try:
        yield load
    finally:
        loop.call_soon_threadsafe(stop.set)
        sender.join()
        loop.close()
