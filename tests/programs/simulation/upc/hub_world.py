"""One run's world: gateways with their books, a store, and replicas of the hub."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, Final

from harness.memory_records import record_in
from payorch_server.model.secret import Secret
from payorch_server.upc.epoch import declare_epoch, read_epoch
from payorch_server.upc.hub_record import decode_hub_record, record_key
from payorch_server.upc.settings import PluginSettings

from programs.simulation.bookkeeping import Counts, EventLog
from programs.simulation.clock import SimulatedClock
from programs.simulation.store import SharedStore, StoreClient
from programs.simulation.upc.choices import UpcChoices
from programs.simulation.upc.plugin import Directory, Link, PluginCall, Registered
from programs.simulation.upc.provider import Provider
from programs.simulation.upc.replica import HUB, Observer, Replica, settings_of_hub
from programs.simulation.upc.requests import TYPE, Items

INSTANCES: Final = ("Cards", "Wallets")
"""Gateway instances in Zuora; each is at first served by the gateway of the settings in the same place."""
GATEWAYS: Final = ("first", "second")
_SPARE: Final = "spare-pay"
_LISTEN_S: Final = 600.0


class HubStore(SharedStore):
    """The shared store; it also notes when which keys were lost, and how."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.rolled_back: dict[str, list[float]] = {}
        """By key: when its newest writes were lost by a failover, after which the epoch is still declared."""
        self.emptied_s: list[float] = []

    def fail_over(self, *, lost_s: float) -> None:
        """Lose the acknowledged writes of the newest seconds."""
        now_s = self.clock.monotonic()
        for time_s, key, _ in self._undo:
            if time_s >= now_s - lost_s:
                self.rolled_back.setdefault(key, []).append(now_s)
        super().fail_over(lost_s=lost_s)

    def has_end(self, key: str) -> bool:
        """Return whether it holds the end of a request, or has lost records of it."""
        held = record_in(self.memory, record_key(key))
        is_ended = held is not None and decode_hub_record(held[1][0]).end is not None
        return is_ended or record_key(key) in self.lost

    def empty(self) -> None:
        """Lose everything, the epoch included."""
        self.emptied_s.append(self.clock.monotonic())
        super().empty()


class HubWorld:
    """Everything but Zuora."""

    def __init__(self, *, rng: random.Random, choices: UpcChoices, counts: Counts) -> None:
        loop = asyncio.get_running_loop()
        self.rng = rng
        self.choices = choices
        self.counts = counts
        self.time = loop.time
        self.clock = SimulatedClock(loop.time)
        self.log = EventLog(loop.time)
        self.store = HubStore(rng=rng, clock=self.clock, log=self.log, counts=counts)
        self.observer = Observer(counts)
        self.items = Items()
        self.calls: list[PluginCall] = []
        self.is_calm = False
        self.sends_in_progress = 0
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._waiting: dict[str, list[asyncio.Future[Replica]]] = {"send": [], "doubt": []}
        """For a moment of each kind."""
        self.providers = {
            provider.name: provider
            for provider in (
                self._provider("first-pay", 0),
                self._provider("second-pay", 1),
                self._provider(_SPARE, 0),
            )
        }
        self._all_keys = [(f"k{number}", Secret(rng.randbytes(32))) for number in (1, 2)]
        self.keys = tuple(self._all_keys[:1])
        self.names = {instance: instance for instance in INSTANCES}
        """Of the gateway instances in Zuora now."""
        self.registry = {
            name: Registered(settings_of_gateway(instance), f"{name}-pay")
            for name, instance in zip(GATEWAYS, INSTANCES, strict=True)
        }
        self.hubs = settings_of_hub()
        self.generation = 1
        """Of the credentials that Zuora sends."""
        self.accepted = frozenset({1})
        self._starts = 0
        self.replicas: list[Replica] = [self._started(place) for place in range(choices.replicas)]

    def _provider(self, name: str, place: int) -> Provider:
        return Provider(
            name,
            self.choices.kinds[place],
            self.choices.remembers_days[place],
            rng=self.rng,
            time=self.time,
            spawn=self.spawn,
            log=self.log,
            counts=self.counts,
            storm=self.choices.storm,
        )

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start what outlives its starter."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        del self._tasks[task]
        if not task.cancelled():
            task.exception()

    # --- moments

    async def next_moment(self, kinds: tuple[str, ...] = ("send", "doubt")) -> Replica:
        """Return the replica that hears the next send or leaves one in doubt, or any if there is none for long.

        It returns some moments later, when that replica may still be at work.
        """
        seen: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        self._waiting[self.rng.choice(kinds)].append(seen)
        await asyncio.wait({seen}, timeout=self.rng.uniform(0.0, _LISTEN_S))
        if not seen.done():
            seen.set_result(self.rng.choice(self.replicas))
        await asyncio.sleep(self.rng.choice((0.01, 0.1, 1.0, 10.0)) * self.rng.random())
        return seen.result()

    def note_moment(self, kind: str, replica: Replica) -> None:
        """Note that a replica hears a send (`send`), or has answered one that is in doubt (`doubt`)."""
        for seen in self._waiting[kind]:
            if not seen.done():
                seen.set_result(replica)
        self._waiting[kind].clear()

    # --- replicas

    def _started(self, place: int) -> Replica:
        self._starts += 1
        name = f"hub-{place}#{self._starts}"
        link = Link(name, self.calls)
        directory = Directory(self.providers, link)
        directory.load(self.registry)
        skew_s = self.rng.uniform(-self.choices.skew_s, self.choices.skew_s)
        self.log.add(name, "starts")
        return Replica(
            name,
            store=StoreClient(self.store, name),
            keys=self.keys,
            directory=directory,
            link=link,
            clock=SimulatedClock(self.time, skew_s=skew_s),
            rng=self.rng,
            observer=self.observer,
            hubs=self.hubs,
            generations=self.accepted,
        )

    def restart(self, place: int) -> None:
        """Start a replica with an empty memory and the newest settings."""
        self.replicas[place] = self._started(place)

    async def somewhere(self) -> Replica:
        """Return a replica that accepts requests."""
        while True:
            up = [replica for replica in self.replicas if replica.accepts]
            if up:
                return self.rng.choice(up)
            await asyncio.sleep(0.05)

    def next_keys(self) -> None:
        """Go one step on in the rotation of the fleet's key."""
        first, second = self._all_keys
        if len(self.keys) == 1 and self.keys[0] is first:
            self.keys = (first, second)
        elif self.keys[0] is first:
            self.keys = (second, first)
        elif self.choices.drops_old_key:
            self.keys = (second,)

    # --- store

    async def declare(self, *, by: str) -> None:
        """Declare the epoch of the store, in no time."""
        await declare_epoch(self.store.memory, by=by, now_s=self.clock.now().timestamp())

    async def is_declared(self) -> bool:
        """Return whether the epoch is declared."""
        return await read_epoch(self.store.memory) is not None

    # --- trouble

    def trouble(self, *, on: bool) -> None:
        """Let things go wrong, or stop that."""
        self.is_calm = not on
        self.store.faults_on = on and self.choices.store_trouble
        self.store.down = False
        for provider in self.providers.values():
            provider.calm = not on
        for replica in self.replicas:
            replica.link.is_cut = False

    async def close(self) -> int:
        """End everything; return how many executions were cut."""
        cut = 0
        for replica in self.replicas:
            cut += await replica.drain()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
        return cut


def settings_of_gateway(instance: str) -> PluginSettings:
    """Return the settings of a gateway that serves one gateway instance of Zuora."""
    return PluginSettings(hub=HUB, names=(instance,), types=(TYPE,), target="dns:///simulated:50051")
