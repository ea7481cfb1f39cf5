"""Readers of the log and of the audit that stall or leave."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from harness.requests import session_request

from programs.hostile.arena import Arena, described, outcome_of, payment_request
from programs.hostile.before_admission import until
from programs.hostile.figures import Figure, at_least, at_most
from programs.hostile.scenario import Scenario

_SESSIONS_PER_S: Final = 10
_SESSIONS_FOR_A_PAYMENT: Final = 5
_DEADLINE_S: Final = 4.0
_GONE_S: Final = 5.0
_AUDIT_READ_S: Final = 5.0
_AUDIT_UNAVAILABLE: Final = "AUDIT_UNAVAILABLE"


@dataclass(slots=True)
class _Load:
    """Steady calls, and what came of them."""

    sessions: int = 0
    session_errors: list[str] = field(default_factory=list)
    payments: int = 0
    payment_errors: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    async def run(self, stub: Any, seconds: float) -> None:
        """Call for some seconds; payments move money."""
        number = 0
        began_s = perf_counter()
        async with asyncio.TaskGroup() as calls:
            while perf_counter() - began_s < seconds:
                if number % _SESSIONS_FOR_A_PAYMENT == 0:
                    self.payments += 1
                    request = payment_request()
                    calls.create_task(self._call(stub.DecryptApplePay, request, self.payment_errors))
                self.sessions += 1
                calls.create_task(self._call(stub.CreateSession, session_request(), self.session_errors))
                number += 1
                await asyncio.sleep(1 / _SESSIONS_PER_S)

    async def _call(self, method: Callable[..., Awaitable[object]], request: object, errors: list[str]) -> None:
        began_s = perf_counter()
        error = await outcome_of(method(request, timeout=_DEADLINE_S))
        self.slowest_s = max(self.slowest_s, perf_counter() - began_s)
        if error is not None:
            errors.append(described(error))


async def _executed(arena: Arena) -> int:
    return sum(entry["operation"] == "decryption" for entry in await arena.ledger())


async def _unaudited(arena: Arena, executed_before: int) -> Figure:
    """Count the payments of an attack that the audit does not have, once it is read again."""
    executed = await _executed(arena) - executed_before
    await until(lambda: arena.service.audit.payments_allowed >= executed, _AUDIT_READ_S)
    missing = executed - arena.service.audit.payments_allowed
    return Figure(f"of {executed} payments without a line", max(missing, 0), at_most(0))


async def stalled_log(arena: Arena) -> Sequence[Figure]:
    """Read no line of the log for a while: calls continue, also those that move money."""
    load, lost_before = _Load(), await arena.metric("payorch_log_lost_total")
    async with arena.stub() as stub:
        arena.service.log.stall()
        try:
            await load.run(stub, arena.lengths.stall_s)
        finally:
            arena.service.log.resume()
    errors = [*load.session_errors, *load.payment_errors]
    return (
        Figure("calls", load.sessions + load.payments),
        Figure("lines lost, which are counted", await arena.metric("payorch_log_lost_total") - lost_before),
        Figure("of them failed", len(errors), at_most(0), detail=", ".join(sorted(set(errors)))),
        Figure("slowest call, s", load.slowest_s, at_most(_DEADLINE_S)),
    )


async def audit_gone(arena: Arena) -> Sequence[Figure]:
    """Close the audit's pipe: no payment without its line, everything else continues."""
    load, executed_before = _Load(), await _executed(arena)
    async with arena.stub() as stub:
        arena.service.audit.leave()
        try:
            await load.run(stub, _GONE_S)
        finally:
            arena.service.audit.come_back()
    refused = sum(_AUDIT_UNAVAILABLE in error for error in load.payment_errors)
    others = ", ".join(sorted({*load.session_errors, *load.payment_errors}))
    return (
        Figure(f"of {load.payments} payments refused for the audit", refused, at_least(load.payments), detail=others),
        await _unaudited(arena, executed_before),
        Figure(f"of {load.sessions} other calls failed", len(load.session_errors), at_most(0), detail=others),
    )


async def audit_stalled(arena: Arena) -> Sequence[Figure]:
    """Read no line of the audit: once its pipe is full, no payment without its line; everything else continues."""
    load, executed_before = _Load(), await _executed(arena)
    async with arena.stub() as stub:
        arena.service.audit.stall()
        try:
            await load.run(stub, arena.lengths.stall_s)
        finally:
            arena.service.audit.resume()
    refused = sum(_AUDIT_UNAVAILABLE in error for error in load.payment_errors)
    others = sorted({error for error in load.payment_errors if _AUDIT_UNAVAILABLE not in error})
    return (
        Figure(
            f"of {load.sessions} other calls failed",
            len(load.session_errors),
            at_most(0),
            detail=str(load.session_errors[:3]),
        ),
        Figure("payments failed otherwise than for the audit", len(others), at_most(0), detail=str(others)),
        Figure(f"of {load.payments} payments refused for the audit", refused, at_least(1)),
        await _unaudited(arena, executed_before),
    )


SCENARIOS: Final = (
    Scenario("stalled-log", "A log that is not read stops no call.", stalled_log),
    Scenario("stalled-audit", "An audit that is not read stops no call but those that move money.", audit_stalled),
    Scenario("no-audit-reader", "No money moves without an audit; other calls do.", audit_gone),
)
