"""The load under which the events happen: calls of every kind of caller, and payments through the hub."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from harness.zuora_load import ZuoraLoad

from programs.cluster.fleet import names
from programs.cluster.fleet.callers import Caller, JsonCaller, connected
from programs.cluster.fleet.installed import Fleet
from programs.cluster.fleet.load import Load
from programs.cluster.fleet.materials import Materials
from programs.cluster.surroundings import HUB_PASSWORD, HUB_USER

_EVENTS_S: Final = 700.0
"""About how long all events take together; the calls are spread over that time."""
_LEAST_CALLS_PER_S: Final = 20.0
_PAYMENTS_PER_S: Final = 5.0
_PAYMENT_RESEND_S: Final = 5.0
"""Not so often that a backlog of payments keeps the machine busy."""
_REPORT_EVERY_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Loads:
    """The calls and the payments that are made meanwhile."""

    calls: Load
    payments: ZuoraLoad


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
def ongoing(fleet: Fleet, calls: int) -> Iterator[Loads]:
    """Call and pay until the block ends and there were enough calls, and then until each has a result."""
    address = fleet.address_of(names.HUB), names.HUB_PORT
    payments = ZuoraLoad(
        addresses=lambda: [address],
        path="/upc/main",
        user=HUB_USER,
        password=HUB_PASSWORD,
        payments_per_s=_PAYMENTS_PER_S,
        again_s=_PAYMENT_RESEND_S,
    )
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    callers = loop.run_until_complete(_made_in_loop(fleet.materials))
    load = Load(callers, max(calls / _EVENTS_S, _LEAST_CALLS_PER_S))

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
