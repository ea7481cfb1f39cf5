"""Show where the time of a call goes: each step of docs/architecture.md, timed in the running service."""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from programs.bench.children import BenchError, Child, child, collector, role
from programs.bench.levels import BUSY, CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY
from programs.bench.service import Variant, listening_addresses, write_configuration
from programs.bench.windows import Order

_WARM_UP_S: Final = 4.0
_LOOK_S: Final = 0.01
_LOOKS: Final = 500
_US: Final = 1000
_RPCS: Final = (CREATE_SESSION, DECRYPT_APPLE_PAY, CREATE_PAYMENT_METHOD)


def main() -> int:
    """Run; return 0, or 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m programs.bench.steps", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one window (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="windows (default %(default)s)")
    parser.add_argument("--rpc", choices=_RPCS, default=CREATE_SESSION, help="(default %(default)s)")
    options = parser.parse_args()
    try:
        with ExitStack() as stack:
            rounds = _measure(stack, options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(_table(rounds, options.rpc))
    return 0


def _measure(stack: ExitStack, options: argparse.Namespace) -> list[Mapping[str, float]]:
    """Return for each window the microseconds for a call of each step."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-bench-")))
    stub = stack.enter_context(child("stub", role("stub")))
    healthy = stack.enter_context(collector("healthy"))
    file = write_configuration(f"http://127.0.0.1:{int(stub.line())}", folder, Variant(collector=healthy))
    totals = folder / "totals.json"
    command = role("step_timers", str(totals), "serve", "--config", str(file))
    service = stack.enter_context(child("service", command, logs=True))
    load = stack.enter_context(child("load", role("load")))
    target = listening_addresses(service).grpc
    order = Order(target=target, in_flight=BUSY, seconds=options.seconds, rpc=options.rpc)
    load.window(msgspec.structs.replace(order, seconds=_WARM_UP_S))
    rounds = []
    for number in range(1, options.rounds + 1):
        before = _totals(service, totals)
        window = load.window(order)
        rounds.append(_per_call(before, _totals(service, totals), window.calls))
        print(f"round {number} of {options.rounds}: {window.calls} calls", file=sys.stderr, flush=True)
    return rounds


def _totals(service: Child, file: Path) -> Mapping[str, Any]:
    """Ask the service for what it has measured so far."""
    file.unlink(missing_ok=True)
    os.kill(service.pid, signal.SIGUSR1)
    for _ in range(_LOOKS):
        if file.exists():
            totals: Mapping[str, Any] = msgspec.json.decode(file.read_bytes())
            return totals
        time.sleep(_LOOK_S)
    raise BenchError("The service process does not say what it has measured.")


def _per_call(before: Mapping[str, Any], after: Mapping[str, Any], calls: int) -> Mapping[str, float]:
    """Return microseconds for a call, without what the timers cost; a step that no call meets is left out."""
    within_ns, around_ns = after["timer_ns"]
    steps, timers_ns = {}, 0.0
    for name, found in after["steps"].items():
        more = {member: value - before["steps"][name][member] for member, value in found.items()}
        timer_ns = more["entries"] * within_ns + more["inner_entries"] * around_ns
        timers_ns += timer_ns
        if more["calls"]:
            steps[name] = (more["own_ns"] - timer_ns) / calls / _US
    thread = (after["thread_ns"] - before["thread_ns"] - timers_ns) / calls / _US
    process = (after["process_ns"] - before["process_ns"] - timers_ns) / calls / _US
    rest = {"gRPC, event loop, sockets, HTTP parser": thread - sum(steps.values()), "other threads": process - thread}
    return steps | rest | {"all": process}


def _table(rounds: list[Mapping[str, float]], rpc: str) -> str:
    names = [name for name in rounds[0] if all(name in found for found in rounds)]
    medians = {name: statistics.median(found[name] for found in rounds) for name in names}
    width = max(map(len, names))
    head = f"{rpc}, {BUSY} in flight, us of CPU for a call, without the timers; medians of {len(rounds)} rounds"
    rows = [f"{name:{width}}  {us:8.1f}  {us / medians['all']:6.1%}" for name, us in medians.items()]
    return "\n".join((head, *rows))


if __name__ == "__main__":
    sys.exit(main())
