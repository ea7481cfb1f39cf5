"""Compare the cost of a call with that of a bare echo and of bare HTTP clients, interleaved in one run."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from programs.bench.children import BenchError, Child, child, collector, role
from programs.bench.hub import HUB_IN_FLIGHT, hub
from programs.bench.measure import IN_FLIGHT, Row, Sample, estimate_s, measure
from programs.bench.report import (
    AGAINST,
    AIOHTTP,
    BRIDGE,
    COLLECTORS,
    ECHO,
    HTTPX,
    HUB,
    SERVICE,
    machine,
    table,
    write,
)
from programs.bench.service import service
from programs.bench.starts import measure_starts, start_ratios, start_table
from programs.bench.workload import SESSIONS_PATH

_MAX_SECONDS: Final = 60.0
_MAX_ROUNDS: Final = 50


def main() -> int:
    """Run; return 0, or 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m programs.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.8, help="length of one window (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="windows per figure (default %(default)s)")
    parser.add_argument("--against", type=Path, help="root of another checkout; its service becomes one more row")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"), help="(default %(default)s)")
    options = parser.parse_args()
    if not 0 < options.seconds <= _MAX_SECONDS or not 1 <= options.rounds <= _MAX_ROUNDS:
        parser.error(f"at most {_MAX_SECONDS:.0f} seconds and {_MAX_ROUNDS} rounds")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    facts = machine()
    try:
        with ExitStack() as stack:
            stub = _started(stack, "stub")
            upstream = f"http://127.0.0.1:{int(stub.line())}"
            starts = measure_starts(upstream=upstream, rounds=options.rounds)
            rows = _rows(stack, upstream, options.against)
            samples = _run(rows, rounds=options.rounds, seconds=options.seconds)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(table(samples))
    print(f"\n{start_table(starts)}")
    write(options.output, samples=samples, starts=starts, start_ratios=start_ratios(starts), facts=facts)
    print(f"\nLower is better; medians of {options.rounds} rounds; all samples are in {options.output}")
    return 0


def _rows(stack: ExitStack, upstream: str, against: Path | None) -> Sequence[Row]:
    """Start every process; each is idle while another is measured."""
    load = _started(stack, "load")
    rows: list[Row] = []

    def serve(name: str, *, code: Path | None = None, collector: str = "") -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-bench-")))
        context = service(name, upstream=upstream, folder=folder, code=code, collector=collector)
        process, addresses = stack.enter_context(context)
        rows.append(Row(name, load, process, addresses.grpc))

    serve(SERVICE)
    if against is not None:
        serve(AGAINST, code=against.resolve())
    for name, mode in COLLECTORS.items():
        serve(name, collector=stack.enter_context(collector(mode)))
    echo = _started(stack, ECHO)
    rows.append(Row(ECHO, load, echo, f"127.0.0.1:{int(echo.line())}"))
    for name in (HTTPX, AIOHTTP):
        client = _started(stack, "direct", name)
        rows.append(Row(name, client, client, upstream + SESSIONS_PATH))
    return [*rows, *_hub_rows(stack)]


def _hub_rows(stack: ExitStack) -> Sequence[Row]:
    """Start the hub and its floor, in front of one gateway."""
    load, gateway = _started(stack, "zuora_load"), _started(stack, "plugged_in")
    target = f"127.0.0.1:{int(gateway.line())}"
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-bench-")))
    process, url = stack.enter_context(hub(HUB, plugin=target, folder=folder))
    bridge = _started(stack, BRIDGE, target)
    return Row(HUB, load, process, url), Row(BRIDGE, load, bridge, f"http://127.0.0.1:{int(bridge.line())}/")


def _started(stack: ExitStack, name: str, *arguments: str) -> Child:
    return stack.enter_context(child(" ".join((name, *arguments)), role(name, *arguments)))


def _run(rows: Sequence[Row], *, rounds: int, seconds: float) -> Sequence[Sample]:
    print(f"about {estimate_s(rows, rounds=rounds, seconds=seconds):.0f} s", file=sys.stderr)
    samples: list[Sample] = []
    for number in range(1, rounds + 1):
        for in_flight in IN_FLIGHT:
            for row in rows:
                sample = measure(row, number=number, in_flight=in_flight, seconds=seconds)
                samples.append(sample)
                where = f"round {number} of {rounds}, {in_flight:3} in flight, {row.name:8}"
                print(f"{where} {sample.cpu_us:6.0f} us CPU, {sample.calls_per_s:6.0f} calls/s", file=sys.stderr)
    # Each of them has to be answered; a 503 ends the run.
    crowded = next(row for row in rows if row.name == HUB)
    measure(crowded, number=rounds + 1, in_flight=HUB_IN_FLIGHT, seconds=seconds)
    print(f"{HUB}: {HUB_IN_FLIGHT} in flight, all answered", file=sys.stderr)
    return samples


if __name__ == "__main__":
    sys.exit(main())
