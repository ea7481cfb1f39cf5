"""A gateway's own side: what it remembers by key, and its books, which are the truth."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from payorch_server.model.secret import reveal  # noqa: TID251 - a token of the simulation
from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    Result,
    Silence,
)
from payorch_server.upc.request import HubRequest, Operation, Payment, Refund, idempotency_key

from programs.simulation.bookkeeping import Counts, EventLog
from programs.simulation.upc.choices import DAY_S, HOUR_S

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]

FAULTS: Final = {
    "crash_before": 0.03,
    "crash_after": 0.05,
    "error": 0.025,
    "error_while_it_runs": 0.025,
    "unspecified": 0.02,
    "rule_broken": 0.02,
    "slow": 0.05,
}
"""What befalls a call at the gateway, and how often."""
RESULTS: Final = {
    Result.DECLINED: 0.1,
    Result.FAILED: 0.05,
    Result.NOT_ATTEMPTED: 0.03,
    Result.PENDING: 0.08,
}
"""How calls end; the others are approved."""
_LOOK_UP_FAILS: Final = 0.1
_DUPLICATE: Final = GatewayOutcome(Result.DECLINED, "duplicate")
_PENDING: Final = GatewayOutcome(Result.PENDING, "000")
_MOST_PENDING_S: Final = 60 * HOUR_S


class Broken(Exception):  # noqa: N818 - what the caller sees is a gRPC error
    """The gateway ended a call without an outcome."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of money."""

    time_s: float
    about: str
    """The right key of the request, whatever key the hub sent."""
    key: str
    operation: Operation
    amount: Decimal
    payment_key: str


@dataclass(slots=True)
class Effect:
    """What was done under a key."""

    about: str
    key: str
    outcome: GatewayOutcome
    began_s: float
    final_at_s: float
    """When it is final; later than now while it is pending."""
    movement: tuple[Operation, Decimal, str]
    is_booked: bool = False


@dataclass(slots=True)
class Provider:
    """One gateway with all its replicas.

    Kinds: `looks_up` and `no_look_up` keep the contract. `hasty` declines as a duplicate while a call is running, in
    calls and look-ups, but never after its deadline. `forgetful` loses its key when it crashes after charging, declines
    the repetition as a duplicate, and cannot be looked up.
    """

    name: str
    kind: str
    remembers_days: int
    rng: random.Random
    time: Callable[[], float]
    spawn: Spawn
    log: EventLog
    counts: Counts
    storm: float
    calm: bool = True
    """Whether nothing goes wrong, and whatever is new is approved."""
    up: bool = True
    memory: dict[str, Effect] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    not_attempted: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)
    running: dict[str, "asyncio.Task[GatewayOutcome]"] = field(default_factory=dict)
    running_about: dict[str, str] = field(default_factory=dict)
    books: list[Entry] = field(default_factory=list)
    validated: dict[str, tuple[str, Result]] = field(default_factory=dict)
    """Token and outcome of each validation, by its key."""

    @property
    def description(self) -> GatewayDescription:
        """What it says of itself."""
        looks_up = self.kind in {"looks_up", "hasty"}
        return GatewayDescription(
            self.name, "1", frozenset(Operation), frozenset(), looks_up, timedelta(days=self.remembers_days)
        )

    # --- calls

    async def handle(self, request: HubRequest, facts: CallFacts, *, deadline_s: float) -> GatewayOutcome | NoOutcome:
        """Serve one call.

        Raises:
            Broken: It ends in a gRPC error.
        """
        key, fault = facts.idempotency_key, self._fault()
        await asyncio.sleep(self.rng.uniform(0.005, 0.05))
        if fault == "crash_before":
            self.crash()
        if fault in {"crash_before", "error"}:
            raise Broken
        outcome = await self._effect(request, facts, fault, deadline_s=deadline_s)
        if fault == "crash_after":
            self._lose(key)
            self.crash()
            raise Broken
        if fault == "unspecified":
            return NoOutcome(Silence.UNSPECIFIED)
        return NoOutcome(Silence.RULE_BROKEN) if fault == "rule_broken" else outcome

    async def _effect(self, request: HubRequest, facts: CallFacts, fault: str, *, deadline_s: float) -> GatewayOutcome:
        key = facts.idempotency_key
        # 1. Known under its key.
        known = self._remembered(key)
        if known is not None:
            return self._outcome(known)
        if key in self.forgotten:
            return _DUPLICATE
        # 2. Running.
        work = self.running.get(key)
        if work is not None and self.kind == "hasty":
            return _DUPLICATE
        # 3. New.
        if work is None:
            work = self.spawn(
                self._work(request, facts, slow=fault in {"slow", "error_while_it_runs"}, deadline_s=deadline_s)
            )
            self.running[key], self.running_about[key] = work, right_key(request, facts)
            work.add_done_callback(lambda _: self._end_work(key))
        if fault == "error_while_it_runs":
            raise Broken
        await asyncio.wait({work})
        if work.cancelled():
            raise Broken
        return work.result()

    async def _work(self, request: HubRequest, facts: CallFacts, *, slow: bool, deadline_s: float) -> GatewayOutcome:
        began_s = self.time()
        lasts_s = self.rng.uniform(5.0, 100.0) if slow else self.rng.uniform(0.03, 0.8)
        before_s = lasts_s * self.rng.random()
        if self.kind == "hasty":
            # What it says while a call is running is wrong, but its work ends by the deadline.
            before_s = min(before_s, max(deadline_s - began_s - 0.1, 0.0))
        await asyncio.sleep(before_s)
        outcome = self._do(request, facts, began_s)
        await asyncio.sleep(0.01 if self.kind == "hasty" else lasts_s - before_s)
        return outcome

    def _do(self, request: HubRequest, facts: CallFacts, began_s: float) -> GatewayOutcome:
        """Have the effect."""
        key, result = facts.idempotency_key, self._drawn_result(request)
        movement = (request.operation, _amount(request), facts.payment_idempotency_key)
        if isinstance(request.subject, Refund) and not self._can_refund(facts, request.subject):
            result = Result.DECLINED
        if request.operation is Operation.VALIDATE:
            result = Result.APPROVED if result is Result.PENDING else result
            self.validated[key] = str(reveal(request.method.token_data)["walletToken"]), result
        if result is Result.NOT_ATTEMPTED:
            self.not_attempted.add(key)
            return GatewayOutcome(result, "cfg")
        now_s, final_at_s = self.time(), self.time()
        if result is Result.PENDING:
            final_at_s += self.rng.choice((30.0, HOUR_S, _MOST_PENDING_S)) * self.rng.random()
            result = Result.APPROVED if self.rng.random() < 0.6 else Result.DECLINED
        number = f"{self.name}-{len(self.effects) + 1}"
        about = right_key(request, facts)
        effect = Effect(
            about, key, GatewayOutcome(result, result.value[:3], "Said.", number), began_s, final_at_s, movement
        )
        self.memory[key] = effect
        self.effects.append(effect)
        self.log.add(self.name, f"does {key}: {result}{', pending' if final_at_s > now_s else ''}", key)
        return self._outcome(effect)

    def _end_work(self, key: str) -> None:
        del self.running[key], self.running_about[key]

    def leave(self, key: str) -> None:
        """End the work for a caller who has left, as some gateways do; others finish it."""
        work = self.running.get(key)
        if work is not None and key not in self.memory and (self.kind == "hasty" or self.rng.random() < 0.3):
            work.cancel()

    def crash(self) -> None:
        """End all that runs; another process takes over after a while."""
        self.log.add(self.name, "CRASHES")
        for work in tuple(self.running.values()):
            work.cancel()
        self.up = False
        self.spawn(self._restart(self.rng.choice((0.5, 3.0, 30.0, 300.0))))

    async def _restart(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.up = True

    def _lose(self, key: str) -> None:
        effect = self.memory.get(key)
        if self.kind == "forgetful" and effect is not None and effect.outcome.result is Result.APPROVED:
            del self.memory[key]
            self.forgotten.add(key)
            self.log.add(self.name, f"forgets {key}", key)

    # --- look-ups

    async def look_up(self, key: str) -> GatewayOutcome | NotHeardOf | NoOutcome:
        """Answer what became of the calls under a key."""
        self.counts.opportunities["look-up"] += not self.calm
        if not self.calm and self.rng.random() < _LOOK_UP_FAILS * self.storm:
            self.counts.faults["look-up/fails"] += 1
            await asyncio.sleep(self.rng.choice((0.01, 3.0)))
            return NoOutcome(Silence.ERROR, "INTERNAL")
        await asyncio.sleep(self.rng.uniform(0.005, 0.05))
        known = self._remembered(key)
        if known is not None:
            return self._outcome(known)
        if key in self.running:
            return _DUPLICATE if self.kind == "hasty" else self.rng.choice((_PENDING, NotHeardOf()))
        if key in self.not_attempted and self.rng.random() < 0.5:
            return GatewayOutcome(Result.NOT_ATTEMPTED, "cfg")
        return NotHeardOf()

    # --- truth

    def ripen(self) -> None:
        """Book what is final by now."""
        for effect in self.effects:
            if not effect.is_booked and self.time() >= effect.final_at_s:
                effect.is_booked = True
                if effect.outcome.result is Result.APPROVED:
                    self.books.append(Entry(effect.final_at_s, effect.about, effect.key, *effect.movement))
        self.effects = [effect for effect in self.effects if not effect.is_booked]

    def is_undecided(self, about: str) -> bool:
        """Return whether money may still move for a request."""
        return about in self.running_about.values() or any(effect.about == about for effect in self.effects)

    def _remembered(self, key: str) -> Effect | None:
        self.ripen()
        effect = self.memory.get(key)
        if effect is not None and self.time() >= effect.began_s + self.remembers_days * DAY_S:
            del self.memory[key]
            return None
        return effect

    def _outcome(self, effect: Effect) -> GatewayOutcome:
        return effect.outcome if self.time() >= effect.final_at_s else _PENDING

    def _can_refund(self, facts: CallFacts, refund: Refund) -> bool:
        self.ripen()
        payment_key = facts.payment_idempotency_key
        charged = sum(entry.amount for entry in self.books if entry.key == payment_key)
        refunded = sum(entry.amount for entry in self.books if entry.payment_key == payment_key)
        return refunded + refund.amount <= charged

    def _fault(self) -> str:
        if self.calm:
            return ""
        self.counts.opportunities["gateway"] += 1
        drawn = self.rng.random()
        for kind, probability in FAULTS.items():
            if drawn < probability * self.storm:
                self.counts.faults[f"gateway/{kind}"] += 1
                return kind
            drawn -= probability * self.storm
        return ""

    def _drawn_result(self, request: HubRequest) -> Result:
        drawn = self.rng.random()
        for result, probability in () if self.calm else RESULTS.items():
            if drawn < probability:
                self.counts.executions[f"{request.operation} {result.value}"] += 1
                return result
            drawn -= probability
        self.counts.executions[f"{request.operation} APPROVED"] += 1
        return Result.APPROVED


def right_key(request: HubRequest, facts: CallFacts) -> str:
    """Return the key that a request has by the rules; of a validation the key that was sent."""
    return idempotency_key(request.name) if request.name else facts.idempotency_key


def _amount(request: HubRequest) -> Decimal:
    match request.subject:
        case Payment(amount=amount):
            return amount.value
        case Refund(amount=value):
            return value
        case _:
            return Decimal(0)
