"""Calls at a steady rate, each resent as docs/errors.md advises until it succeeds or _PATIENCE_S has passed."""

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
"""How long a caller follows the advice to resend: longer than an unrenewed lease, which lasts 70 s."""
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
    denial: str = ""
    """The outcome of the last answer, if it says that nothing was executed."""

    @property
    def request_id(self) -> str:
        """The request id that its caller chose."""
        request: Any = self.request
        return str(request.request_id)


class Resends(logging.Handler):
    """Collects the resends of the published client from its log, by request id."""

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
    """Sends calls, and keeps each with its result."""

    callers: Sequence[Caller]
    calls_per_s: float
    calls: list[Call] = field(default_factory=list)
    _gave_up: bool = False
    _random: random.Random = field(default_factory=lambda: random.Random(19))  # noqa: S311 - a mix of calls
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_AT_ONCE))

    async def run(self, stop: asyncio.Event, least: int) -> None:
        """Start calls until `stop` is set and at least `least` were made; return once all of them have ended."""
        next_s = perf_counter()
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set() or (len(self.calls) < least and not self._gave_up):
                await self._slots.acquire()
                tasks.create_task(self._make(self._random.choice(self.callers)))
                next_s = max(next_s + 1 / self.calls_per_s, perf_counter() - 1.0)
                await asyncio.sleep(max(next_s - perf_counter(), 0.0))

    def give_up(self) -> None:
        """Let `run` return before `least` calls were made."""
        self._gave_up = True

    def ended(self) -> Counter[str]:
        """Count the ended calls: `answered`, `failed`, and `again` for those that their callers resent."""
        counted: Counter[str] = Counter()
        for call in self.calls:
            if call.ended_s:
                counted["failed" if call.effect is None else "answered"] += 1
                counted["again"] += call.sends > 1
        return counted

    def under_way(self) -> str:
        """Describe the calls in progress: how many there are, and the last error of one of them."""
        open_ = [call for call in self.calls if not call.ended_s]
        errors = [call.errors[-1] for call in open_ if call.errors]
        return f"{len(open_)} under way" + (f", {len(errors)} of them after {errors[0]}" if errors else "")

    async def _make(self, caller: Caller) -> None:
        (method,) = self._random.choices(METHODS, _SHARES)
        request = _request(method)
        call = Call(caller.kind, caller.namespace, method, request, perf_counter())
        self.calls.append(call)
        try:
            await self._send_until_settled(caller, call)
        finally:
            call.ended_s = perf_counter()
            self._slots.release()

    async def _send_until_settled(self, caller: Caller, call: Call) -> None:
        """Send a call until it succeeds, until the advice is not to resend it, or until _PATIENCE_S has passed."""
        wait_s = _FIRST_WAIT_S
        while True:
            call.sends += 1
            try:
                call.effect = await caller.send(call.method, call.request)
            except FailedError as failed:
                call.errors.append(str(failed))
                call.denial = failed.denial
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
