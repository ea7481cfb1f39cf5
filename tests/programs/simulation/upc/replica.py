"""One replica of the hub: its real core over the shared store, with a clock, a memory and a life of its own."""

import asyncio
import random
from collections.abc import Mapping
from typing import Final

from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.upc.answers import HubAnswer, Situation
from payorch_server.upc.hub import Hub
from payorch_server.upc.hub_parts import HubCallNotes, HubParts
from payorch_server.upc.request import Defect, HubRequest, Operation, RequestName, UnusableRequest
from payorch_server.upc.settings import HubCredentialSettings, HubSettings

from programs.simulation.bookkeeping import Counts
from programs.simulation.clock import SimulatedClock
from programs.simulation.store import StoreClient
from programs.simulation.upc.choices import DAY_S
from programs.simulation.upc.plugin import Directory, Link
from programs.simulation.upc.requests import TENANT, Item

HUB: Final = "main"
LIMIT_S: Final = 45.0
KEEP_S: Final = 400 * DAY_S
_DRAIN_S: Final = 180.0
FORMS: Final = ("damaged", "damaged with two ids", "damaged without an id")


class Observer:
    """Remembers alarms, of all replicas."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self.alarms: dict[str, list[Situation]] = {}
        """By key."""

    def needs_people(self, situation: Situation, *, key: str, operation: str, gateway: str) -> None:
        """Remember an alarm."""
        del operation, gateway
        self._counts.executions[f"alarm {situation.name}"] += 1
        self.alarms.setdefault(key, []).append(situation)

    def plugin_called(self, *, gateway: str, method: str, result: str, duration_s: float) -> None:
        """Nothing is measured."""

    def opened(self, key: str, *, gateway: str, first_send_s: float) -> None:
        """Nothing is measured."""

    def settled(self, key: str) -> None:
        """Nothing is measured."""


class Replica:
    """One process."""

    def __init__(
        self,
        name: str,
        *,
        store: StoreClient,
        keys: tuple[tuple[str, Secret[bytes]], ...],
        directory: Directory,
        link: Link,
        clock: SimulatedClock,
        rng: random.Random,
        observer: Observer,
        hubs: Mapping[str, HubSettings],
        generations: frozenset[int],
    ) -> None:
        self.name = name
        self.accepts = True
        self.directory = directory
        self.link = link
        self.generations = generations
        """Of the credentials that it accepts."""
        self.hubs = hubs
        self._store = store
        self._owner = TaskOwner()
        # In the order of their start, in which they are also cut off: a seed is all there is to know of a run.
        self._calls: dict[asyncio.Task[HubAnswer], None] = {}
        self._clock = clock
        self._hub = Hub(
            HubParts(
                store=store,
                keyring=Keyring(keys, entropy=rng.randbytes),
                directory=directory,
                clock=clock,
                uniform=rng.uniform,
                entropy=rng.randbytes,
                tasks=self._owner,
                deadlines=Deadlines(clock),
                keep_s=KEEP_S,
                observer=observer,
            ),
            lambda: self.hubs,
        )

    def serve(self, item: Item, *, form: str, gateway_name: str, generation: int) -> "asyncio.Task[HubAnswer]":
        """Serve one request; the task continues when the caller leaves, as the HTTP handler does."""
        work = self._serve(_sent(item, form, gateway_name), is_known=generation in self.generations)
        task = asyncio.get_running_loop().create_task(work)
        self._calls[task] = None
        task.add_done_callback(self._calls.pop)
        return task

    async def _serve(self, request: HubRequest | UnusableRequest, *, is_known: bool) -> HubAnswer:
        notes = HubCallNotes()
        if not is_known:
            return await self._hub.answer_refused(_only_names(request), notes=notes)
        return await self._hub.answer(HUB, request, deadline_s=self._clock.monotonic() + LIMIT_S, notes=notes)

    async def kill(self) -> None:
        """End at once: every task stops where it is, and nothing it would still do reaches the store."""
        self.accepts = False
        self._store.dead = True
        for task in (*self._calls, *self._owner._tasks):
            task.cancel()
        await self._owner.close()

    async def drain(self) -> int:
        """End politely; return how many executions were cut."""
        self.accepts = False
        self._hub.drain()
        left = await self._hub.wait_for_executions(timeout_s=_DRAIN_S)
        while self._calls:
            await asyncio.wait(tuple(self._calls))
        await self._owner.close()
        return left


def settings_of_hub(*, enabled: bool = True) -> Mapping[str, HubSettings]:
    """Return the settings of the one endpoint."""
    return {HUB: HubSettings((TENANT,), (HubCredentialSettings("zuora", "-"),), enabled=enabled)}


def _sent(item: Item, form: str, gateway_name: str) -> HubRequest | UnusableRequest:
    """Return what is decoded of a send."""
    is_validation = item.operation is Operation.VALIDATE
    names = () if is_validation or form == "damaged without an id" else (item.name,)
    if form == "damaged with two ids" and names:
        other = Operation.REFUND if item.operation is Operation.PAYMENT else Operation.PAYMENT
        names = (item.name, RequestName(TENANT, other, item.id))
    if form in FORMS:
        return UnusableRequest(Defect.MEMBER_MISSING, "amount", names, is_validation)
    return item.request(gateway_name)


def _only_names(request: HubRequest | UnusableRequest) -> UnusableRequest:
    """Return what is read of a request whose credentials are wrong."""
    if isinstance(request, UnusableRequest):
        return request
    is_validation = request.operation is Operation.VALIDATE
    return UnusableRequest(Defect.NOT_READ, "", (request.name,) if request.name else (), is_validation)
