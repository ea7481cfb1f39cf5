"""Calls at a steady pace, each made until it is answered or its caller's patience ends, as docs/errors.md advises."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Self

from google.protobuf.message import Message
from harness.requests import decryption_request, new_request_id, payment_method_request, session_request
from zuora_emulator import seed

from programs.cluster.fleet.callers import Caller, Effect, FailedError

_PATIENCE_S: Final = 180.0
"""How long a caller sends an intent again where it is advised to: more than the 70 s of a lease that nothing renews."""
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 8.0
_MOST_AT_ONCE: Final = 400
METHODS: Final = ("CreateSession", "CreatePaymentMethod", "DecryptApplePay")
_SHARES: Final = (50, 40, 10)
"""In percent, of the methods."""


@dataclass(slots=True)
class Call:
    """One intent of a caller, from its first send to its end."""

    kind: str
    namespace: str
    method: str
    request: Message
    began_s: float
    ended_s: float = 0.0
    sends: int = 0
    """By the caller; the client's own resends are not among them."""
    errors: list[str] = field(default_factory=list)
    effect: Effect | None = None
    """None: the call failed."""
    told_not_sent: bool = False
    """Whether the last answer says that nothing was sent."""

    @property
    def request_id(self) -> str:
        """The caller's name for it."""
        request: Any = self.request
        return str(request.request_id)


class Resends(logging.Handler):
    """Counts the resends of published clients, by request id; they log each."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.reasons: dict[str, list[str]] = {}
        """Why each request was sent again."""

    def emit(self, record: logging.LogRecord) -> None:
        """Note a resend."""
        if isinstance(record.args, tuple) and len(record.args) > len(METHODS):
            _, _, reason, request_id, *_ = record.args
            self.reasons.setdefault(str(request_id), []).append(str(reason))

    def __enter__(self) -> Self:
        logger = logging.getLogger("payorch")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("payorch").removeHandler(self)


@dataclass(slots=True)
class Load:
    """What was called and what came of it."""

    callers: Sequence[Caller]
    calls_per_s: float
    calls: list[Call] = field(default_factory=list)
    _gave_up: bool = False
    _random: random.Random = field(default_factory=lambda: random.Random(19))  # noqa: S311 - a mix of calls
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_AT_ONCE))

    async def run(self, stop: asyncio.Event, least: int) -> None:
        """Call until the event, and until there were so many calls; wait for the last answers."""
        next_s = perf_counter()
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set() or (len(self.calls) < least and not self._gave_up):
                await self._places.acquire()
                tasks.create_task(self._make(self._random.choice(self.callers)))
                next_s = max(next_s + 1 / self.calls_per_s, perf_counter() - 1.0)
                await asyncio.sleep(max(next_s - perf_counter(), 0.0))

    def give_up(self) -> None:
        """Stop waiting for the rest of the calls."""
        self._gave_up = True

    def ended(self) -> Counter[str]:
        """Count calls that were answered, sent again by their callers, and failed."""
        counted: Counter[str] = Counter()
        for call in self.calls:
            if call.ended_s:
                counted["failed" if call.effect is None else "answered"] += 1
                counted["again"] += call.sends > 1
        return counted

    def under_way(self) -> str:
        """Return how many calls have no end yet, and the last error of one of them."""
        open_ = [call for call in self.calls if not call.ended_s]
        errors = [call.errors[-1] for call in open_ if call.errors]
        return f"{len(open_)} under way" + (f", {len(errors)} of them after {errors[0]}" if errors else "")

    async def _make(self, caller: Caller) -> None:
        (method,) = self._random.choices(METHODS, _SHARES)
        request = _request(method)
        call = Call(caller.kind, caller.namespace, method, request, perf_counter())
        self.calls.append(call)
        try:
            await self.carry_through(caller, call)
        finally:
            call.ended_s = perf_counter()
            self._places.release()

    async def carry_through(self, caller: Caller, call: Call) -> None:
        """Send a call until it is answered, until its caller is advised otherwise, or until the patience ends."""
        wait_s = _FIRST_WAIT_S
        while True:
            call.sends += 1
            try:
                call.effect = await caller.send(call.method, call.request)
            except FailedError as failed:
                call.errors.append(str(failed))
                call.told_not_sent = failed.not_sent
                if not failed.resend or perf_counter() - call.began_s > _PATIENCE_S:
                    return
            else:
                return
            await asyncio.sleep(self._random.uniform(wait_s / 2, wait_s))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _request(method: str) -> Message:
    request_id = new_request_id()
    if method == "CreateSession":
        return session_request(request_id)
    if method == "CreatePaymentMethod":
        return payment_method_request(request_id)
    payment = decryption_request(request_id)
    payment.pay_invoice.invoice = seed.INVOICE_US_LARGE.number
    return payment
