"""One run: trouble, hours later more of it, quiet in which everything must settle, and the day after."""

import asyncio
import gc
import random
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from payorch_server.model.identifiers import REPETITION_LIMIT

from programs.simulation.bookkeeping import Counts
from programs.simulation.callers import Callers
from programs.simulation.check import Auditor, Violation
from programs.simulation.grpc_context import RESEND
from programs.simulation.instance import Parts
from programs.simulation.intent import Intent
from programs.simulation.loop import VirtualLoop
from programs.simulation.operators import operate
from programs.simulation.random_choices import drawn_choices
from programs.simulation.world import World

_PURPOSES: Final = 70
_STRETCH_S: Final = 60.0
# Longer than the latest delivery, the slowest answer, an execution and its lease together.
_QUIET_S: Final = 300.0
_HOUR_S: Final = 3600.0
_BEHIND_S: Final = (-4200.0, -7200.0)
_RESENDS: Final = 6
_LOSS_IN_BETWEEN: Final = 0.4


@dataclass(slots=True)
class Result:
    """What came of one run."""

    seed: int
    counts: Counts
    violations: list[Violation]
    digest: str
    logs: dict[str, list[str]] = field(default_factory=dict)
    """By the text of a violation: what happened to its intents."""


class Run:
    """One run with one seed."""

    def __init__(self, seed: int, parts: Parts) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - to be repeatable is the point
        self._seed = seed
        self._parts = parts
        self._found: list[Violation] = []

    async def play(self) -> Result:
        """Play it and return what came of it."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, what: self._complain("6 tidy", str(what.get("exception", what["message"])))
        )
        counts = Counts(runs=1)
        choices = drawn_choices(self._rng)
        counts.choices.update(choices.named())
        self._world = World(rng=self._rng, choices=choices, counts=counts, parts=self._parts)
        self._callers = Callers(self._world)
        self._world.log.add("run", f"{choices}")
        await self._trouble(self._callers.purpose() for _ in range(_PURPOSES))
        await asyncio.sleep(self._rng.uniform(0.2, 22.0) * _HOUR_S)
        if choices.store_trouble and self._rng.random() < _LOSS_IN_BETWEEN:
            self._world.store.empty()
        await self._trouble(self._unfinished())
        await self._quiet()
        await self._next_day()
        await self._end()
        self._found += Auditor(self._world, self._callers).violations()
        log = self._world.log
        logs = {one.text: log.of({*one.intents}) for one in self._found}
        return Result(self._seed, counts, self._found, log.digest(), logs)

    def _complain(self, rule: str, text: str, *intents: str) -> None:
        self._found.append(Violation(rule, text, frozenset(intents)))

    async def _trouble(self, purposes: Iterable[Any]) -> None:
        """Let callers act for a while, in a world where everything goes wrong."""
        self._world.trouble(on=True)
        await _all(
            [self._callers.pursue(one, after_s=self._rng.uniform(0.0, _STRETCH_S)) for one in purposes]
            + [operate(self._world, for_s=_STRETCH_S)]
        )
        self._world.trouble(on=False)
        self._world.mend_clocks()
        self._world.log.add("run", "trouble ends")

    def _unfinished(self) -> list[Any]:
        """Return what callers come back to: whatever has not ended, and some of the rest."""
        return [
            purpose
            for purpose in self._callers.purposes
            if not purpose.intents[-1].sleeper and (_open(purpose.intents[-1]) or self._rng.random() < 0.15)
        ]

    async def _quiet(self) -> None:
        """With nothing going wrong any more, every open intent must come to an end."""
        await asyncio.sleep(_QUIET_S)
        awake = [one for one in self._callers.intents.values() if not (one.sleeper or one.late_sleeper)]
        await _all([self._settle(one) for one in awake if _open(one)])
        for rpc in ("CreateSession", "DecryptApplePay", "CreatePaymentMethod"):
            await self._fresh(rpc)

    async def _settle(self, intent: Intent) -> None:
        for _ in range(_RESENDS):
            answer = await self._callers.call(intent, timeout_s=self._rng.choice((20.0, 60.0, None)))
            if answer.seen.advice != RESEND:
                return
            await asyncio.sleep(30.0)
        if excuse := self._excuse_for_open(intent, answer.seen.outcome):
            self._world.counts.exempt[excuse] += 1
            return
        self._complain("3 settles", f"{intent.name} is still {answer.seen.outcome} {answer.seen.reason}", intent.name)

    def _excuse_for_open(self, intent: Intent, outcome: str) -> str:
        """Tell why no resend can settle an intent: Zuora stored an answer that says nothing of the intent."""
        keys = [emulator._world.idempotency for emulator in self._world.emulators.values()]
        stored = [one.records[intent.key].answer for one in keys if intent.key in one.records]
        failed = [one for one in stored if one is not None and not one.status < 300]
        if any(
            self._world.wrong_clocks.met(one.instance, from_s=one.began_s, until_s=one.ended_s)
            for one in intent.answers
        ):
            return "its lease was made by a clock that was ahead"
        began_s = [one.began_s for one in intent.answers]
        if outcome == "UNKNOWN" and began_s[-1] - began_s[0] > REPETITION_LIMIT.total_seconds():
            return "Zuora repeats a refusal when it could soon forget the key, and that is not believed"
        if failed and any(one.seen.outcome == "NOT_SENT" for one in intent.answers[-_RESENDS:]):
            return "Zuora stored a refusal of the service; the caller is told that nothing was sent"
        if self._world.choices.replay_headers == "fresh" and any(b"processId" not in one.body for one in failed):
            return "Zuora stored a failure without an id, which looks like a new one each time"
        return ""

    async def _fresh(self, rpc: str) -> None:
        """Anything new must succeed."""
        purpose = self._callers.purpose(rpc=rpc, plain=True)
        intent = self._callers.intent(purpose)
        intent.sleeper = intent.late_sleeper = False
        for _ in range(_RESENDS):
            answer = await self._callers.call(intent, timeout_s=20.0)
            if answer.seen.advice != RESEND:
                break
        if answer.seen.outcome != "SUCCEEDED":
            self._complain("8 progress", f"{intent.name}: {answer.seen.outcome} {answer.seen.reason}", intent.name)

    async def _next_day(self) -> None:
        """Come back when Zuora has forgotten."""
        at_s = self._rng.uniform(24.05, 25.5) * _HOUR_S
        await asyncio.sleep(max(0.0, at_s - self._world.time()))
        if self._world.choices.clocks == "wrong" and self._rng.random() < 0.7:
            self._world.set_clocks(tuple(self._world.instances), skew_s=self._rng.choice(_BEHIND_S))
        if self._rng.random() < 0.3:
            self._world.trouble(on=True)
        await _all(
            [
                self._callers.call(one, timeout_s=20.0)
                for one in self._callers.intents.values()
                if _open(one) or self._rng.random() < 0.1
            ]
        )
        self._world.trouble(on=False)
        self._world.mend_clocks()

    async def _end(self) -> None:
        """End the processes; nothing may be left behind."""
        await asyncio.sleep(_QUIET_S)
        if cut := await self._world.close():
            self._complain("6 tidy", f"{cut} executions did not end")
        await asyncio.sleep(0.0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self._complain("6 tidy", f"{len(left)} tasks are left, {sorted(task.get_name() for task in left)[:3]}")


def _open(intent: Intent) -> bool:
    """Tell whether an intent's caller would still resend it."""
    told = [one.seen for one in intent.answers if one.body == 0 and not one.looked_up]
    return not told or told[-1].advice == RESEND


async def _all(work: list[Awaitable[Any]]) -> None:
    await asyncio.gather(*work)


def play(seed: int, parts: Parts | None = None) -> Result:
    """Play the run of a seed."""
    # What was there before needs not be looked at again and again.
    gc.freeze()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        run = Run(seed, parts or Parts())
        result = runner.run(run.play())
        # Tasks whose exception nobody took say so when they are collected.
        gc.collect()
    gc.unfreeze()
    result.violations = run._found
    return result
