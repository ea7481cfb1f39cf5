"""Zuora's rules: what it sends when, what it makes of an answer, and when it collects again."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from payorch_server.upc.answers import MEAN_ERROR, Answer, HubAnswer

from programs.simulation.upc.choices import DAY_S, HOUR_S
from programs.simulation.upc.hub_world import INSTANCES, HubWorld
from programs.simulation.upc.replica import FORMS, Replica
from programs.simulation.upc.requests import Item, Purpose, Send, State

NETWORK: Final = {
    "lost_before": 0.02,
    "lost_after": 0.06,
    "closed_early": 0.03,
    "twice": 0.04,
    "late": 0.03,
    "damaged": 0.02,
}
"""What befalls a request of Zuora's on its way, and how often."""
_WAIT_S: Final = 60.0
_RESENDS: Final = 48
_RETRIES: Final = 2
_QUIET_SENDS: Final = 3
_TAKE_OVER_S: Final = 200.0


class Zuora:
    """The sender."""

    def __init__(self, world: HubWorld) -> None:
        self._world = world
        self._rng = world.rng
        self._numbers = 0
        self.quiet = asyncio.Event()
        """Set when nothing goes wrong any more."""

    # --- one send

    async def send(self, item: Item) -> None:
        """Send a request once, with what the network makes of it."""
        if item.state is not State.PROCESSING:
            return
        fault = self._fault()
        if item.first_sent_s < 0:
            item.first_sent_s = self._world.time()
        self._world.sends_in_progress += 1
        try:
            if fault == "lost_before":
                return
            if fault == "late":
                await asyncio.sleep(self._rng.uniform(0.5, 20.0))
            if fault == "twice":
                self._world.spawn(self._copy(item, after_s=self._rng.choice((0.0, 0.01, 3.0))))
            form = self._rng.choice(FORMS) if fault == "damaged" else "whole"
            answer = await self._deliver(item, form, leaves=fault == "closed_early")
        finally:
            self._world.sends_in_progress -= 1
        if answer is None or fault == "lost_after":
            return
        item.hear(answer, at_s=self._world.time())

    async def _copy(self, item: Item, *, after_s: float) -> None:
        """Deliver a request a second time; the answer is lost."""
        self._world.sends_in_progress += 1
        try:
            await asyncio.sleep(after_s)
            await self._deliver(item, "whole", leaves=False)
        finally:
            self._world.sends_in_progress -= 1

    async def _deliver(self, item: Item, form: str, *, leaves: bool) -> HubAnswer | None:
        """Return the answer as far as Zuora hears it."""
        world = self._world
        replica = await world.somewhere()
        send = self._noted(item, replica, form)
        task = replica.serve(item, form=form, gateway_name=world.names[item.instance], generation=world.generation)
        task.add_done_callback(lambda task: self._note_answer(item, send, task, replica))
        wait_s = self._rng.choice((0.001, 0.05, 0.5, 5.0)) if leaves else _WAIT_S
        await asyncio.wait({task}, timeout=wait_s)
        return None if not task.done() or task.cancelled() else task.result()

    def _noted(self, item: Item, replica: Replica, form: str) -> Send:
        world, self._numbers = self._world, self._numbers + 1
        if world.generation not in replica.generations:
            form = f"refused, {form}"
        send = Send(self._numbers, replica.name, form, world.time())
        item.sends.append(send)
        world.counts.calls += 1
        world.note_moment("send", replica)
        world.log.add(replica.name, f"hears send {send.number} of {item.id}, {form}", item.key)
        return send

    def _note_answer(self, item: Item, send: Send, task: "asyncio.Task[HubAnswer]", replica: Replica) -> None:
        world, send.ended_s = self._world, self._world.time()
        if task.cancelled():
            world.log.add(send.replica, f"never answers send {send.number} of {item.id}", item.key)
            return
        if task.exception() is None:
            send.answer = task.result()
            if send.answer.answer is Answer.UNKNOWN:
                world.note_moment("doubt", replica)
            if send.answer.answer in MEAN_ERROR and item.id:
                send.is_recorded = world.store.has_end(item.key)
            answer, situation = send.answer.answer, send.answer.situation
            world.counts.outcomes[str(item.operation), str(answer)] += 1
            world.counts.reasons[situation.name] += 1
            world.log.add(send.replica, f"answers send {send.number} of {item.id}: {answer} {situation.name}", item.key)

    def _fault(self) -> str:
        if self._world.is_calm:
            return ""
        self._world.counts.opportunities["network"] += 1
        drawn = self._rng.random()
        for kind, probability in NETWORK.items():
            if drawn < probability * self._world.choices.storm:
                self._world.counts.faults[f"network/{kind}"] += 1
                return kind
            drawn -= probability * self._world.choices.storm
        return ""

    # --- the life of a request

    async def pursue(self, item: Item) -> None:
        """Send a request until it has ended, and come back to it when nothing goes wrong any more."""
        await self._all([self.send(item), *self._openings(item)])
        if self._world.choices.resends == "hourly":
            await self._resend_hourly(item)
        for age_s in self._late_openings():
            await self._sleep_until(item.first_sent_s + age_s)
            await self.send(item)
        await self.quiet.wait()
        for _ in range(_QUIET_SENDS):
            if item.state is State.PROCESSING:
                await asyncio.sleep(_TAKE_OVER_S)
                await self.send(item)

    def _openings(self, item: Item) -> Iterable[Any]:
        """Yield the openings of the payment's page soon after the first send, each of which asks the hub again."""
        for probability, within_s in ((0.12, (0.0, 2.0)), (0.15, (2.0, 40.0)), (0.2, (60.0, 250.0))):
            if self._rng.random() < probability:
                yield self._later(item, self._rng.uniform(*within_s))

    async def _later(self, item: Item, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.send(item)

    async def _resend_hourly(self, item: Item) -> None:
        for _ in range(_RESENDS):
            await asyncio.sleep(HOUR_S * self._rng.uniform(0.98, 1.0))
            if item.state is not State.PROCESSING:
                return
            await self.send(item)
            if self._rng.random() < 0.02:
                await self.send(item)

    def _late_openings(self) -> list[float]:
        """Return the ages at which people open the page again, some just where gateways forget their keys."""
        chosen = [
            age_s
            for age_s, probability in (
                (self._rng.uniform(50 * HOUR_S, 3 * DAY_S), 0.3),
                (3 * DAY_S - self._rng.uniform(-3.0, 20.0), 0.5),
                (self._rng.uniform(3 * DAY_S, 9 * DAY_S), 0.5),
                (30 * DAY_S - self._rng.uniform(-3.0, 20.0), 0.5),
                (self._rng.uniform(31 * DAY_S, 390 * DAY_S), 0.3),
            )
            if self._rng.random() < probability
        ]
        return sorted(chosen)

    async def _sleep_until(self, time_s: float) -> None:
        await asyncio.sleep(max(time_s - self._world.time(), 0.0))

    async def _all(self, work: list[Any]) -> None:
        await asyncio.gather(*work)

    # --- what is to happen once

    async def collect(self, number: int, *, after_s: float) -> None:
        """Collect an invoice: a payment, after an Error another one, and refunds of what was collected."""
        await asyncio.sleep(after_s)
        world, purpose = self._world, Purpose(f"invoice-{number}")
        world.items.collections.append(purpose)
        instance = self._rng.choice(INSTANCES)
        if self._rng.random() < 0.25:
            world.spawn(self.validate(purpose.name, instance))
        amount = Decimal(self._rng.randint(100, 99_999)) / 100
        for _ in range(1 + _RETRIES):
            payment = world.items.payment(purpose, amount=amount, instance=instance)
            await self.pursue(payment)
            if payment.state is not State.ERROR:
                break
            # A Configurable Payment Retry makes a new payment with a new id.
            await asyncio.sleep(self._rng.uniform(0.01, 26.0) * HOUR_S)
        if payment.state is State.PROCESSED and payment.settled_by == "hub" and self._rng.random() < 0.35:
            await self._refund(payment, amount)

    async def _refund(self, payment: Item, amount: Decimal) -> None:
        """Refund a payment: wholly, or in parts at the same time."""
        shares = self._rng.choice(((1.0,), (0.25, 0.5), (0.1, 0.2, 0.3)))
        parts = [(amount * Decimal(str(share))).quantize(Decimal("0.01")) for share in shares]
        await self._all([self._refund_part(payment, f"{payment.id}-part-{part}", part) for part in parts if part])

    async def _refund_part(self, payment: Item, name: str, amount: Decimal) -> None:
        purpose = Purpose(name)
        self._world.items.refunds.append(purpose)
        for _ in range(2):
            refund = self._world.items.refund(purpose, payment, amount=amount)
            await self.pursue(refund)
            if refund.state is not State.ERROR:
                return
            await asyncio.sleep(self._rng.uniform(0.01, 26.0) * HOUR_S)

    async def validate(self, token: str, instance: str) -> None:
        """Validate a payment method that is being created; people try again soon."""
        for pause_s in (0.0, self._rng.choice((0.2, 5.0, 30.0, 300.0))):
            await asyncio.sleep(pause_s)
            item = self._world.items.validation(token=token, instance=instance)
            sends = 1 + (self._rng.random() < 0.3)
            await self._all([self._later(item, self._rng.uniform(0.0, 0.5)) for _ in range(sends)])
            if item.sends and item.sends[-1].answer and item.sends[-1].answer.answer is Answer.APPROVED:
                return
