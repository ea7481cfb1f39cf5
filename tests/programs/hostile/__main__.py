"""Attack one service that is limited to 512 MiB, and judge what it promises during each attack and after it."""

import argparse
import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
from harness.redis_server import servers

from programs.bench.children import BenchError, Child, child
from programs.hostile import (
    before_admission,
    forgery,
    handshakes,
    overload_attack,
    readers,
    store_and_shutdown,
    upstream_attacks,
)
from programs.hostile.arena import Arena, Lengths, executed_twice
from programs.hostile.figures import Result, problems, table
from programs.hostile.memory_limit import MB, Group, limited_group
from programs.hostile.probes import probing
from programs.hostile.scenario import Scenario, run
from programs.hostile.service import LIMIT_BYTES, AttackError, Service, write_configuration

SCENARIOS: Final = (
    *before_admission.SCENARIOS,
    *forgery.SCENARIOS,
    *handshakes.SCENARIOS,
    *upstream_attacks.SCENARIOS,
    *store_and_shutdown.SCENARIOS,
    *overload_attack.SCENARIOS,
    *readers.SCENARIOS,
)
QUICK: Final = Lengths(stall_s=15.0, overload_s=4.0, black_hole_s=22.0, connections=5000, streams=8000, slack=3.0)
"""For machines that have other work."""
_EMULATOR: Final = Path(sys.executable).with_name("zuora-emulator")
_LINES_BEFORE_READY: Final = 50
# One address and one tenant make every call here.
_UNLIMITED: Final = ("--switch", "rate_limit_per_minute=none", "--switch", "token_limit_per_minute=none")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 if every figure keeps its bound."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m programs.hostile", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="an attack; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the attacks with their promises, and end")
    parser.add_argument("--quick", action="store_true", help="shorter and smaller, in under four minutes")
    parser.add_argument("--output", type=Path, default=Path("build/hostile.json"), help="(default %(default)s)")
    options = parser.parse_args(arguments)
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
    if options.list:
        width = max(map(len, names))
        print("\n".join(f"{scenario.name:{width}}  {scenario.promise}" for scenario in chosen))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with ExitStack() as stack:
            results = asyncio.run(_attack(stack, chosen, QUICK if options.quick else Lengths()))
    except (AttackError, BenchError) as error:
        print(f"hostile: {error}", file=sys.stderr)
        return 1
    return _judge(results, options.output)


async def _attack(stack: ExitStack, scenarios: Sequence[Scenario], lengths: Lengths) -> Sequence[Result]:
    group = stack.enter_context(limited_group(LIMIT_BYTES))
    _announce(group)
    arena = _arena(stack, lengths, group)
    await arena.service.start()
    try:
        with probing(arena.service.grpc_port, arena.service.admin_port) as probes:
            results = []
            for number, scenario in enumerate(scenarios, start=1):
                print(f"{number:2} of {len(scenarios)}  {scenario.name}: {scenario.promise}", flush=True)
                results.append(await run(scenario, arena, probes))
                for problem in problems(results[-1:]):
                    print(f"          {problem}", flush=True)
        twice = await executed_twice(arena)
    finally:
        await arena.service.end()
    return [*results, Result("ledger", "No intent is executed twice, whatever is attacked.", [twice], 0.0)]


def _announce(group: Group | None) -> None:
    """Say which limit is in force: results under the two are not the same."""
    limit = f"{LIMIT_BYTES / MB:.0f} MiB"
    if group is not None:
        print(f"The service is limited to {limit} by a cgroup (version {group.version}).", flush=True)
        return
    print(
        f"NO CGROUP COULD BE MADE HERE: nothing limits the service to {limit}.\n"
        "Its peak resident memory is judged alone; run this as root, or where cgroups are delegated, for the rest.",
        flush=True,
    )


def _arena(stack: ExitStack, lengths: Lengths, group: Group | None) -> Arena:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-hostile-")))
    serve = [_EMULATOR, "serve", "--port", "0", *_UNLIMITED]
    emulator_url = _emulator_url(stack.enter_context(child("emulator", serve)))
    redis = stack.enter_context(servers()).start("--maxmemory-policy", "noeviction")
    upstreams = stack.enter_context(child("upstreams", [sys.executable, "-m", "programs.hostile.upstreams"]))
    ports = msgspec.json.decode(upstreams.line(), type=dict[str, int])
    file = write_configuration(folder, emulator_url=emulator_url, redis_url=redis.url, ports=ports)
    service = Service(folder, file=file, group=group)
    return Arena(service, emulator_url, redis, ports, lengths)


def _emulator_url(emulator: Child) -> str:
    for _ in range(_LINES_BEFORE_READY):
        if found := re.search(rb"http://127\.0\.0\.1:\d+", emulator.line()):
            return found[0].decode()
    raise AttackError("The emulator does not listen.")


def _judge(results: Sequence[Result], output: Path) -> int:
    print("\n".join(("", *table(results))))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(msgspec.json.format(msgspec.json.encode([result.as_json() for result in results])))
    found = [*problems(results)]
    failed = sum(not result.passed for result in results)
    print(f"{len(results)} attacks, {failed} failed", flush=True)
    for problem in found:
        print(f"hostile: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
