"""Upstreams that answer with too much, with a refusal of tokens, or not at all."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Final

from harness.requests import session_request
from payorch.v1 import call_pb2

from programs.hostile.arena import Arena, described, outcome_of, session_of
from programs.hostile.figures import Figure, at_least, at_most
from programs.hostile.scenario import Scenario
from programs.hostile.service import ENTITIES_OF_BLACK_HOLE

_AT_ONCE: Final = 20
_DEADLINE_S: Final = 20.0
_TOKEN_CALLS: Final = 50
_TOKEN_DEADLINE_S: Final = 10.0
# One for the calls, and one that the service's own loop may make meanwhile.
_MAX_TOKEN_REQUESTS: Final = 2
_BLACK_CALLS_PER_S: Final = 30
_BLACK_DEADLINE_S: Final = 5.0
_HEALTHY_CALLS_PER_S: Final = 5
_HEALTHY_DEADLINE_S: Final = 5.0
# Longer than connections to the healthy tenant are kept, so that it needs new ones.
_IDLE_S: Final = 16.0
_MAX_HEALTHY_P95_S: Final = 0.5


async def gigabytes_of_zeros(arena: Arena) -> Sequence[Figure]:
    """Make calls whose answers unpack to a gigabyte each."""
    async with arena.stub() as stub:
        began_s = perf_counter()
        calls = (outcome_of(stub.CreateSession(session_of("zeros"), timeout=_DEADLINE_S)) for _ in range(_AT_ONCE))
        outcomes = await asyncio.gather(*calls)
        seconds = perf_counter() - began_s
    refused = sum(error is not None and bool(error.reason) for error in outcomes)
    detail = _counted(outcomes)
    return (
        Figure(f"of {_AT_ONCE} told with a reason", refused, at_least(_AT_ONCE), detail=detail),
        Figure("until the last answer, s", seconds, at_most(_DEADLINE_S)),
    )


async def token_refusals(arena: Arena) -> Sequence[Figure]:
    """Make calls, at once and one after the other, to a tenant whose token endpoint answers 429."""
    before = await arena.requests_at("throttled")
    async with arena.stub() as stub:

        async def call() -> Any:
            return await outcome_of(stub.CreateSession(session_of("throttled"), timeout=_TOKEN_DEADLINE_S))

        outcomes = [*await asyncio.gather(*(call() for _ in range(_TOKEN_CALLS)))]
        outcomes += [await call() for _ in range(_TOKEN_CALLS)]
    after = await arena.requests_at("throttled")
    not_sent = sum(bool(error and error.outcome == call_pb2.OUTCOME_NOT_SENT) for error in outcomes)
    timed = sum(bool(error and error.retry_delay_s) for error in outcomes)
    return (
        Figure(
            f"token requests of {len(outcomes)} calls",
            sum(after.values()) - sum(before.values()),
            at_most(_MAX_TOKEN_REQUESTS),
        ),
        Figure("answered NOT_SENT", not_sent, at_least(len(outcomes)), detail=_counted(outcomes)),
        Figure("answered with RetryInfo", timed, at_least(len(outcomes))),
    )


async def black_hole(arena: Arena) -> Sequence[Figure]:
    """Call a healthy tenant while another one accepts connections and never answers."""
    length_s = max(arena.lengths.black_hole_s, _IDLE_S + 1)
    async with arena.stub() as black_stub, arena.stub() as stub:
        alone_s, _ = await _healthy(stub, 2.0)
        async with asyncio.TaskGroup() as tasks:
            black = tasks.create_task(_black(black_stub, length_s))
            await asyncio.sleep(_IDLE_S)
            latencies_s, errors = await _healthy(stub, length_s - _IDLE_S)
        await black
    latencies_s.sort()
    alone_s.sort()
    return (
        Figure("calls of the healthy tenant", len(latencies_s)),
        Figure("of them failed", len(errors), at_most(0), detail=", ".join(sorted(set(errors)))),
        Figure("their median, s", latencies_s[len(latencies_s) // 2]),
        Figure("their p95, s", latencies_s[len(latencies_s) * 95 // 100], at_most(_MAX_HEALTHY_P95_S)),
        Figure("alone their p95 is, s", alone_s[len(alone_s) * 95 // 100]),
    )


async def _healthy(stub: Any, seconds: float) -> tuple[list[float], list[str]]:
    """Call at a steady pace; return the latencies and the errors."""
    latencies_s: list[float] = []
    errors: list[str] = []

    async def call() -> None:
        began_s = perf_counter()
        error = await outcome_of(stub.CreateSession(session_request(), timeout=_HEALTHY_DEADLINE_S))
        latencies_s.append(perf_counter() - began_s)
        if error is not None:
            errors.append(described(error))

    async with asyncio.TaskGroup() as calls:
        for _ in range(max(round(seconds * _HEALTHY_CALLS_PER_S), 1)):
            calls.create_task(call())
            await asyncio.sleep(1 / _HEALTHY_CALLS_PER_S)
    return latencies_s, errors


async def _black(stub: Any, seconds: float) -> None:
    async with asyncio.TaskGroup() as calls:
        for number in range(round(seconds * _BLACK_CALLS_PER_S)):
            request = session_of("black_hole", entity=f"e{number % ENTITIES_OF_BLACK_HOLE}")
            calls.create_task(outcome_of(stub.CreateSession(request, timeout=_BLACK_DEADLINE_S)))
            await asyncio.sleep(1 / _BLACK_CALLS_PER_S)


def _counted(outcomes: Sequence[Any]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in Counter(map(described, outcomes)).items())


SCENARIOS: Final = (
    Scenario("zeros-answers", "Answers that unpack to a gigabyte are refused in little memory.", gigabytes_of_zeros),
    Scenario("token-refusals", "A token endpoint that asks for a pause gets it.", token_refusals),
    Scenario("black-hole", "A tenant that never answers costs another nothing.", black_hole),
)
