"""One run: days of trouble, then quiet in which whatever can must settle."""

import asyncio
import gc
import random
from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Final
from unittest import mock

from payorch_server.upc.answers import Answer

from programs.simulation.bookkeeping import Counts
from programs.simulation.check import Violation
from programs.simulation.loop import VirtualLoop
from programs.simulation.run import Result
from programs.simulation.upc.broken_hub import Patch
from programs.simulation.upc.choices import DAY_S, HOUR_S, drawn_choices
from programs.simulation.upc.hub_check import HubAuditor
from programs.simulation.upc.hub_operators import BURST_S, operate_for_days, restore
from programs.simulation.upc.hub_world import INSTANCES, HubWorld
from programs.simulation.upc.requests import Purpose
from programs.simulation.upc.zuora import Zuora

_INVOICES: Final = 60
_SHARE_OF_BURST: Final = 0.7
# Longer than any gateway leaves a request pending.
_CALM_S: Final = 70 * HOUR_S
_FRESH_SENDS: Final = 3


class HubRun:
    """One run with one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - to be repeatable is the point
        self._seed = seed
        self.found: list[Violation] = []

    async def play(self) -> Result:
        """Play it and return what came of it."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, what: self._complain("0 tidy", str(what.get("exception", what["message"])))
        )
        counts = Counts(runs=1)
        choices = drawn_choices(self._rng)
        counts.choices.update(choices.named())
        self._world = HubWorld(rng=self._rng, choices=choices, counts=counts)
        self._zuora = Zuora(self._world)
        self._world.log.add("run", f"{choices}")
        await self._world.declare(by="first start")
        self._world.trouble(on=True)
        collecting = [
            self._world.spawn(self._zuora.collect(number, after_s=self._begins_after_s(choices.trouble_days)))
            for number in range(_INVOICES)
        ]
        await operate_for_days(self._world)
        await asyncio.sleep(max(choices.trouble_days * DAY_S - self._world.time(), 0.0))
        await self._quiet()
        await asyncio.wait(collecting)
        for task in collecting:
            task.result()
        await self._fresh()
        await self._end()
        self.found += HubAuditor(self._world).violations()
        log = self._world.log
        logs = {violation.text: log.of({*violation.intents}) for violation in self.found}
        return Result(self._seed, counts, self.found, log.digest(), logs)

    def _begins_after_s(self, trouble_days: float) -> float:
        if self._rng.random() < _SHARE_OF_BURST:
            return self._rng.uniform(0.0, BURST_S)
        return self._rng.uniform(0.0, trouble_days * DAY_S)

    def _complain(self, rule: str, text: str, *keys: str) -> None:
        self.found.append(Violation(rule, text, frozenset(keys)))

    async def _quiet(self) -> None:
        self._world.trouble(on=False)
        await restore(self._world)
        self._world.log.add("run", "trouble ends")
        await asyncio.sleep(_CALM_S)
        self._zuora.quiet.set()

    async def _fresh(self) -> None:
        """Anything new must be approved."""
        for instance in INSTANCES:
            item = self._world.items.payment(Purpose(f"fresh-{instance}"), amount=Decimal(10), instance=instance)
            for _ in range(_FRESH_SENDS):
                await self._zuora.send(item)
                await asyncio.sleep(1.0)
            answers = [send.answer.answer for send in item.sends if send.answer]
            if answers != [Answer.APPROVED]:
                self._complain("11 progress", f"{item.id} after the trouble: {answers}", item.key)

    async def _end(self) -> None:
        """End the processes; nothing may be left behind."""
        await asyncio.sleep(_CALM_S)
        if cut := await self._world.close():
            self._complain("0 tidy", f"{cut} executions did not end")
        await asyncio.sleep(0.0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self._complain("0 tidy", f"{len(left)} tasks are left, {sorted(task.get_name() for task in left)[:3]}")


def play_hub(seed: int, patches: Sequence[Patch] = ()) -> Result:
    """Play the run of a seed, with rules of the hub broken by patches."""
    # What was there before needs not be looked at again and again.
    gc.freeze()
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(mock.patch.object(patch.owner, patch.name, patch.value))
        runner = stack.enter_context(asyncio.Runner(loop_factory=VirtualLoop))
        run = HubRun(seed)
        result = runner.run(run.play())
        # Tasks whose exception was never retrieved complain when they are collected.
        gc.collect()
    gc.unfreeze()
    result.violations = run.found
    return result
