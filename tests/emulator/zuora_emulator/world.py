"""Everything a call can touch, in one place."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from zuora_emulator.answers import Answer
from zuora_emulator.apple_tokens import TokenOpener
from zuora_emulator.async_calls import PendingCall
from zuora_emulator.call import Call
from zuora_emulator.clock import Clock, move
from zuora_emulator.dispatch import operate
from zuora_emulator.errors import Refused
from zuora_emulator.faults import Faults
from zuora_emulator.fixtures import Fixtures
from zuora_emulator.idempotency import Idempotency
from zuora_emulator.ids import Ids
from zuora_emulator.journal import Journal, Outcome
from zuora_emulator.ledger import Ledger
from zuora_emulator.limits import Limits
from zuora_emulator.settings import Settings
from zuora_emulator.state import State
from zuora_emulator.upc import Upc

_Result = TypeVar("_Result")


@dataclass(slots=True, kw_only=True)
class World:
    """The emulated Zuora."""

    settings: Settings
    clock: Clock
    ids: Ids
    opener: TokenOpener
    limits: Limits
    idempotency: Idempotency
    fixtures: Fixtures
    state: State
    ledger: Ledger = field(default_factory=Ledger)
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    upc: Upc = field(init=False)
    queued: list[PendingCall] = field(default_factory=list)
    """What was answered with 202 and waits for the clock."""
    _first_settings: Settings = field(init=False, repr=False)
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Remember how the switches stood at the start."""
        self._first_settings = replace(self.settings)

    async def finished_anyway(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run something to its end, although the caller that waits for it may leave."""
        task = asyncio.create_task(work)  # noqa: TID251 - kept below until it ends
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    # --- calls

    async def execute(self, call: PendingCall) -> Answer:
        """Execute an authorised call as the world now is.

        Raises:
            Refused: With everything that is wrong with it.
        """
        authorised = Call(
            arrived=call.arrived,
            client=call.client,
            entity=call.entity,
            orgs=call.orgs,
            upc=self.upc,
            body=dict(call.body),
            state=self.state,
            ids=self.ids,
            ledger=self.ledger,
            settings=self.settings,
            decline=call.decline,
        )
        return await operate(authorised, self.opener)

    def queue(self, call: PendingCall) -> None:
        """Have a call executed when the clock comes to it."""
        self.queued.append(call)
        self.upc.changed.set()

    # --- by the clock

    def next_due(self) -> datetime | None:
        """When the clock has something to do; None: never, as things are."""
        dues = [call.due for call in self.queued]
        if (due := self.upc.next_due()) is not None:
            dues.append(due)
        return min(dues, default=None)

    async def run_due(self) -> int:
        """Do what is due by the clock; returns how much it was."""
        count = 0
        while (call := min(self.queued, key=_due_of, default=None)) is not None and call.due <= self.clock.now():
            self.queued.remove(call)
            await self._execute_queued(call)
            count += 1
        return count + await self.upc.run_due()

    async def _execute_queued(self, call: PendingCall) -> None:
        outcome: Outcome = "executed"
        try:
            await self.execute(replace(call, arrived=replace(call.arrived, now=self.clock.now())))
        except Refused as refusal:
            outcome = "executed" if refusal.existing else "refused"
        arrival = self.journal.with_request_id(call.arrived.request_id)
        if arrival is not None:
            arrival.outcome = outcome

    async def advance(self, by: timedelta) -> None:
        """Move the clock, forward with a stop wherever something is due by it, as if the time had passed.

        Args:
            by: How far; less than nothing moves it back.

        Raises:
            ClockNotAdjustableError: The clock is of another kind than `ManualClock` and `SystemClock`.
        """
        end = self.clock.now() + by
        while (due := self.next_due()) is not None and due <= end:
            move(self.clock, max(due - self.clock.now(), timedelta()))
            await self.run_due()
        # Run back only as far as was asked for: what was due took no time.
        move(self.clock, end - self.clock.now() if by < timedelta() else max(end - self.clock.now(), timedelta()))
        self.upc.changed.set()

    def switch_back(self) -> None:
        """Set the switches as they stood at the start."""
        self.settings.switch(asdict(self._first_settings))

    def reset(self) -> None:
        """Go back to the start: its switches and world, no calls, faults, tokens, payments; the clock stays."""
        self.switch_back()
        self.state = self.fixtures.state()
        self.upc.reset(self.state)
        self.queued.clear()
        self.limits.clear()
        for book in (self.ledger, self.journal, self.faults, self.idempotency):
            book.clear()


def _due_of(call: PendingCall) -> datetime:
    return call.due
