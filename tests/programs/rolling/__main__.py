"""No call may be lost, and hardly one delayed, while one service after the other is restarted."""

import argparse
import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from zuora_emulator import Emulator, serving

from programs.rolling.fleet import Member, channel_to, fleet
from programs.rolling.load import Load

LEAST_SHARE: Final = 0.8
"""Of the steady pace, that every restart has to keep up."""
MOST_P99_S: Final = 2.0
"""So long may a restart hold up all calls but a hundredth: not one that waits for a service that is gone."""
_STEADY_S: Final = 3.0
_CONNECTED_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the load."""

    name: str
    seconds: float
    calls_per_s: float
    slowest_s: float
    """What all calls but the slowest hundredth took at most."""
    errors: int


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of restarts")
    return int(text)


def main() -> int:
    """Run; return 0 if every call was executed once and answered, and the pace was kept up."""
    parser = argparse.ArgumentParser(prog="python -m programs.rolling", description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0, help="calls per second (default %(default)s)")
    parser.add_argument("--restarts", type=_positive, default=4, help="in all (default %(default)s)")
    parser.add_argument(
        "--client",
        choices=("watching", "plain"),
        default="watching",
        help="watching: it asks for the services' health, and no send may fail; plain: it does not, and sends again "
        "under the same request id after an error (default %(default)s)",
    )
    options = parser.parse_args()
    windows, load, executed = asyncio.run(
        roll(
            calls_per_s=options.rate,
            restarts=options.restarts,
            watching=options.client == "watching",
        )
    )
    return _judged(windows, load, executed)


async def roll(
    *, calls_per_s: float, restarts: int, watching: bool = True
) -> tuple[list[Window], Load, Counter[str | None]]:
    """Restart services in turn under load; return the windows, the load, and how often each intent was executed."""
    emulator = Emulator()
    async with serving(emulator) as url, fleet(url) as members, channel_to(members, watching=watching) as channel:
        load = Load(channel, calls_per_s, resend=not watching)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run(stop))
            windows = await _windows(load, members, restarts)
            stop.set()
    return windows, load, Counter(one.idempotency_key for one in emulator.ledger.entries if one.operation != "token")


async def _windows(load: Load, members: Sequence[Member], restarts: int) -> list[Window]:
    await asyncio.sleep(_CONNECTED_S)  # until the channel is connected
    windows = [await _window("steady", load, asyncio.sleep(_STEADY_S))]
    for number in range(restarts):
        member = members[number % len(members)]
        windows.append(await _window(f"restart {number + 1}", load, _restart(member)))
    return windows


async def _restart(member: Member) -> None:
    if status := await member.end(signal.SIGTERM):
        raise AssertionError(f"The service ended with status {status}.")
    await member.begin()


async def _window(name: str, load: Load, what: Awaitable[None]) -> Window:
    began_s, errors = perf_counter(), len(load.errors)
    await what
    seconds = perf_counter() - began_s
    latencies_s = load.latencies_s(began_s, began_s + seconds) or [seconds]
    slowest_s = latencies_s[len(latencies_s) * 99 // 100]
    window = Window(name, seconds, len(latencies_s) / seconds, slowest_s, len(load.errors) - errors)
    print(
        f"{window.name:10} {window.seconds:5.1f} s {window.calls_per_s:7.1f} calls/s, "
        f"p99 {window.slowest_s * 1e3:5.0f} ms, {window.errors} errors",
        flush=True,
    )
    return window


def _judged(windows: Sequence[Window], load: Load, executed: Counter[str | None]) -> int:
    steady, *rest = windows
    least = min((one.calls_per_s / steady.calls_per_s for one in rest), default=1.0)
    print(f"{load.sent} calls, {len(load.errors)} errors, {load.lost} lost; slowest restart {least:.0%} of steady")
    problems = [f"{count} times: {error}" for error, count in Counter(load.errors).items() if not load.resend]
    if load.lost:
        problems.append(f"{load.lost} calls were lost.")
    if set(executed.values()) != {1} or executed.total() != load.sent - load.lost:
        problems.append(f"{load.sent} calls were executed {executed.total()} times.")
    if least < LEAST_SHARE:
        problems.append(f"A restart kept up {least:.0%} of the steady pace; {LEAST_SHARE:.0%} are wanted.")
    problems += [
        f"In {one.name} a hundredth of the calls took more than {one.slowest_s:.1f} s; {MOST_P99_S:.0f} s are the most."
        for one in rest
        if one.slowest_s > MOST_P99_S
    ]
    for problem in problems:
        print(f"rolling: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
