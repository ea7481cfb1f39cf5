"""What Zuora is answered when the store fails: at each operation of a story, in each form, once and for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import pytest
from harness.failing_store import DEATHS, FailingStore, Failure
from harness.hub import (
    DECLINED,
    DESCRIPTION,
    TENANT,
    Behaviour,
    FakeGateway,
    HubWorld,
    approve,
    behave,
    charge_and_fail,
    decline,
    fail_before_charging,
    forget_and_decline,
    never_answer,
    payment,
)
from payorch_server.upc.answers import MEAN_ERROR, Answer, HubAnswer
from payorch_server.upc.gateway_outcome import GatewayOutcome, NotSent, Result
from payorch_server.upc.hub import Hub
from payorch_server.upc.hub_ledger import LEASE_S
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.request import Defect, Operation, RequestName, UnusableRequest, idempotency_key
from programs.simulation.clock import SimulatedClock
from programs.simulation.loop import VirtualLoop

NAME = RequestName(TENANT, Operation.PAYMENT, "pay-1")
OTHER_NAME = RequestName(TENANT, Operation.REFUND, "pay-1")
KEY = idempotency_key(NAME)
COUNTS = (1, 2, 40)
"""How many operations in a row fail; with the last one an execution cannot record its end before its lease is over."""
LAST = 14
"""The last operation that is the first to fail; what follows are polls and sends of what has ended."""


class Second(StrEnum):
    """How the second send comes to another replica."""

    AFTERWARDS = "when the first was answered"
    MEANWHILE = "while the first is executed"
    EARLY_BY_ITS_CLOCK = "likewise; by the clock of that replica the lease of the first is over"


Send = Callable[[HubWorld, Hub], Awaitable[HubAnswer]]


async def pay(world: HubWorld, hub: Hub) -> HubAnswer:
    """Send the payment as it should be."""
    return await world.send(hub, payment())


async def pay_unknown_gateway(world: HubWorld, hub: Hub) -> HubAnswer:
    """Send it to a gateway that does not exist."""
    return await world.send(hub, payment(gateway_name="Other"))


async def pay_unusably(world: HubWorld, hub: Hub) -> HubAnswer:
    """Send it without its amount."""
    return await world.send(hub, UnusableRequest(Defect.MEMBER_MISSING, "payment.amount", (NAME,)))


async def pay_or_refund(world: HubWorld, hub: Hub) -> HubAnswer:
    """Send it without a known operation, so that it may also be a refund."""
    return await world.send(hub, UnusableRequest(Defect.OPERATION_UNKNOWN, "operation", (OTHER_NAME, NAME)))


async def pay_with_wrong_credentials(_world: HubWorld, hub: Hub) -> HubAnswer:
    """Send it with wrong credentials."""
    return await hub.answer_refused(UnusableRequest(Defect.NOT_READ, "", (NAME,)), notes=HubCallNotes())


@dataclass(frozen=True, slots=True)
class Story:
    """What the gateway does when it is first called, and how the payment is first sent."""

    behaviour: Behaviour = approve
    later: Behaviour = approve
    """Of all calls but the first."""
    first: Send = pay
    is_connected: bool = True


STORIES = {
    "approves": Story(),
    "approves, and declines repetitions": Story(later=forget_and_decline),
    "declines": Story(decline),
    "declines, and would approve a later call": Story(behave(DECLINED)),
    "says it called nothing, and would approve": Story(behave(GatewayOutcome(Result.NOT_ATTEMPTED, "cfg", "Off."))),
    "is not reached by the call": Story(behave(NotSent("not ready"))),
    "is not reached at all": Story(is_connected=False),
    "charges and loses the answer": Story(charge_and_fail),
    "charges and loses the answer, and declines repetitions": Story(charge_and_fail, forget_and_decline),
    "charges and never answers": Story(never_answer),
    "fails without charging": Story(fail_before_charging),
    "fails without charging, then declines": Story(fail_before_charging, decline),
    "is not known": Story(first=pay_unknown_gateway),
    "gets no amount": Story(first=pay_unusably),
    "gets no operation": Story(first=pay_or_refund),
    "gets wrong credentials": Story(first=pay_with_wrong_credentials),
}


@dataclass(slots=True)
class StoryRun:
    """One run of a story."""

    operations: int
    charges: list[str]
    answers: list[HubAnswer]
    """The last one was sent when the store worked again and every lease was over."""

    def breaches(self) -> list[str]:
        """Return how the run broke the law."""
        found = []
        means_error = [answer for answer in self.answers if answer.answer in MEAN_ERROR]
        approved = [answer for answer in self.answers if answer.answer is Answer.APPROVED]
        if len(self.charges) > 1:
            found.append("charged twice")
        if self.charges and means_error:
            found.append(f"charged, and answered {means_error[0].answer}")
        if approved and not self.charges:
            found.append("approved without a charge")
        if self.answers[-1].answer is Answer.UNKNOWN:
            found.append(f"never settled: {self.answers[-1].situation.name}")
        outcomes = {repr(answer.outcome) + answer.outcome.message for answer in approved if answer.outcome}
        if len(outcomes) > 1:
            found.append("approved with different outcomes")
        return found


async def play(story: Story, *, failing: range, failure: Failure, second: Second) -> StoryRun:
    """Play a story in which operations of the store fail.

    Args:
        story: The story.
        failing: Numbers of the operations that fail.
        failure: How they fail.
        second: How the second send comes.
    """
    gateway = FakeGateway(behaviours=[story.behaviour, *[story.later] * 20])
    gateway.description = DESCRIPTION if story.is_connected else NotSent("not ready")
    world = await HubWorld(gateway).begin()
    store = FailingStore(world.store, failing=failing, failure=failure)
    skew_s = 300.0 if second is Second.EARLY_BY_ITS_CLOCK else 0.0
    here = world.hub(store=store)
    there = world.hub(store=store, clock=SimulatedClock(asyncio.get_running_loop().time, skew_s=skew_s))
    answers: list[HubAnswer] = []

    async def send(hub: Hub, request: Send, *, at_s: float) -> None:
        await asyncio.sleep(at_s)
        gateway.description = DESCRIPTION if at_s else gateway.description
        # Where the execution died there is no answer.
        with suppress(asyncio.CancelledError):
            answers.append(await request(world, hub))

    # 1. Zuora asks again while executions may be running or be repeating their last writes.
    second_at_s = 50 if second is Second.AFTERWARDS else 0.05
    again = world.hub(store=store) if failure in DEATHS else here
    await asyncio.gather(
        send(here, story.first, at_s=0),
        send(there, pay, at_s=second_at_s),
        send(again, pay, at_s=60),
        send(again, pay, at_s=100),
    )
    # 2. The store works, late writes have been made, and the processes have or have not been replaced meanwhile.
    await asyncio.sleep(LEASE_S + 60)
    store.stop_failing()
    for hub in (there, again, world.hub(), world.hub()):
        await send(hub, pay, at_s=400)
    return StoryRun(store.operations, gateway.charges, answers)


def run_story(story: Story, *, failing: range, failure: Failure, second: Second) -> StoryRun:
    """Play a story on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(story, failing=failing, failure=failure, second=second))


class TestEveryFailure:
    """The store fails at each operation in turn, for one to three operations."""

    @pytest.mark.parametrize("second", Second, ids=lambda second: second.name)
    @pytest.mark.parametrize("failure", Failure, ids=lambda failure: failure.name)
    @pytest.mark.parametrize("name", STORIES)
    def test_keeps_the_law(self, name: str, failure: Failure, second: Second) -> None:
        """One charge at most, none under an id that was answered with Error, and an end in every case."""
        story, breaches = STORIES[name], list[str]()
        for count in COUNTS:
            first, operations = 1, 1
            while first <= min(operations, LAST):
                run = run_story(story, failing=range(first, first + count), failure=failure, second=second)
                breaches += [f"{first} to {first + count - 1}: {breach}" for breach in run.breaches()]
                first, operations = first + 1, run.operations

        assert breaches == []
