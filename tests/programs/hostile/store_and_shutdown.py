"""A store that freezes, requests that are expensive to refuse, memory images, and an end that others hold up."""

import asyncio
import re
from collections.abc import Sequence
from time import perf_counter
from typing import Final

import grpc
from harness.http2 import END_STREAM
from harness.requests import payment_method_request, session_request

from programs.hostile.arena import SERVICE, Arena, described, outcome_of, payment_request
from programs.hostile.figures import Figure, at_least, at_most
from programs.hostile.frames import call_head, message
from programs.hostile.peer import connect
from programs.hostile.scenario import Scenario
from programs.hostile.service import DRAIN_GRACE_S, AttackError

_FROZEN_S: Final = 4.0
_DEADLINE_S: Final = 5.0
_MAX_REFUSAL_S: Final = 2.5
_MAX_LOCK_S: Final = 5.0
_LOCK_WATCHED_S: Final = 80.0
_PAUSE_S: Final = 0.2
_ENTRIES: Final = 12_000
_INVALID_CALLS: Final = 20
_MAX_REFUSAL_CPU_MS: Final = 100.0
_WATCHES: Final = 50
_WITHOUT_MESSAGE: Final = 200
_MAX_END_S: Final = DRAIN_GRACE_S / 2
_CORE_LIMIT: Final = re.compile(r"Max core file size +(\S+)")


async def frozen_store(arena: Arena) -> Sequence[Figure]:
    """Freeze Redis while payments begin, and send them again when it works."""
    payments = [payment_request() for _ in range(5)]
    slowest_s, session_errors = 0.0, []
    async with arena.stub() as stub:
        arena.redis.pause()
        try:
            began_s = perf_counter()
            for payment in payments:
                sent_s = perf_counter()
                await outcome_of(stub.DecryptApplePay(payment, timeout=_DEADLINE_S))
                slowest_s = max(slowest_s, perf_counter() - sent_s)
                error = await outcome_of(stub.CreateSession(session_request(), timeout=_DEADLINE_S))
                session_errors += [described(error)] if error else []
            await asyncio.sleep(max(_FROZEN_S - (perf_counter() - began_s), 0))
        finally:
            arena.redis.resume()
        began_s, left, problem = perf_counter(), list(payments), ""
        while left and perf_counter() - began_s < _LOCK_WATCHED_S:
            error = await outcome_of(stub.DecryptApplePay(left[0], timeout=_DEADLINE_S))
            if error is None:
                left.pop(0)
            else:
                problem = described(error)
                await asyncio.sleep(_PAUSE_S)
        locked_s = perf_counter() - began_s
    return (
        Figure("slowest answer to a payment, s", slowest_s, at_most(_MAX_REFUSAL_S)),
        Figure(f"of {len(payments)} sessions failed", len(session_errors), at_most(0), detail=str(session_errors)),
        Figure("until all were paid after it, s", locked_s, at_most(_MAX_LOCK_S), detail=f"The last: {problem}."),
    )


async def invalid_maps(arena: Arena) -> Sequence[Figure]:
    """Send requests whose every entry is invalid."""
    request = payment_method_request()
    for number in range(_ENTRIES):
        request.custom_fields[f"{number:05}"].text = ""
    async with arena.stub() as stub:
        before_s = arena.service.cpu_s
        calls = (outcome_of(stub.CreatePaymentMethod(request, timeout=_DEADLINE_S * 4)) for _ in range(_INVALID_CALLS))
        outcomes = await asyncio.gather(*calls)
        cpu_ms = (arena.service.cpu_s - before_s) / _INVALID_CALLS * 1000
    refused = sum(bool(error and error.code is grpc.StatusCode.INVALID_ARGUMENT) for error in outcomes)
    others = ", ".join(sorted(set(map(described, outcomes))))
    return (
        Figure(f"of {_INVALID_CALLS} refused as invalid", refused, at_least(_INVALID_CALLS), detail=others),
        Figure("CPU for each, ms", cpu_ms, at_most(_MAX_REFUSAL_CPU_MS)),
        Figure("size of each, KB", request.ByteSize() / 1000),
    )


async def core_dumps(arena: Arena) -> Sequence[Figure]:
    """Look whether a crash would write the memory, with every secret in it, into a file."""
    found = _CORE_LIMIT.search(arena.service.limits)
    if found is None:
        raise AttackError("The limits of the process cannot be read: this is not Linux.")
    limit = float("inf") if found[1] == "unlimited" else float(found[1])
    return (Figure("bytes of memory that a crash may write", limit, at_most(0)),)


async def streams_at_the_end(arena: Arena) -> Sequence[Figure]:
    """Tell the service to end while streams are open that are no calls."""
    peer = await connect(arena.service.grpc_port)
    for _ in range(_WATCHES):
        peer.send(peer.open(call_head("/grpc.health.v1.Health/Watch")), message(b""))
    for _ in range(_WITHOUT_MESSAGE):
        peer.open(call_head(f"{SERVICE}/CreateSession"), flags=END_STREAM)
    await asyncio.sleep(1.0)
    began_s = perf_counter()
    await arena.service.end(within_s=DRAIN_GRACE_S * 2)
    seconds = perf_counter() - began_s
    peer.close()
    return (Figure(f"until it ended, of {DRAIN_GRACE_S:.0f} s of grace, s", seconds, at_most(_MAX_END_S)),)


SCENARIOS: Final = (
    Scenario("frozen-store", "A store that freezes delays no answer and locks no payment.", frozen_store),
    Scenario("invalid-maps", "Requests with thousands of faults are refused cheaply.", invalid_maps),
    Scenario("core-dumps", "A crash writes no secret to a disk.", core_dumps),
    Scenario(
        "streams-at-the-end", "Streams that are no calls do not hold up the end.", streams_at_the_end, ends_service=True
    ),
)
