"""Compare the cost of a call with that of bare floors and of other stacks, interleaved in one run."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from programs.bench import gate, rows
from programs.bench.children import BenchError, child, role
from programs.bench.figures import AGAINST, ECHO, HTTPX, HUB, SERVICE, TO_FLOOR, UNEXPORTED, figure_of, rounds_of
from programs.bench.hub import HUB_IN_FLIGHT
from programs.bench.levels import (
    BUSY,
    CREATE_PAYMENT_METHOD,
    CREATE_SESSION,
    DECRYPT_APPLE_PAY,
    HUB_PAYMENT,
    Level,
)
from programs.bench.measure import Row, Sample, estimate_s, measure, warm_up
from programs.bench.report import goal_table, machine, tables, write
from programs.bench.starts import Start, measure_starts, start_ratios, start_table

_MAX_SECONDS: Final = 60.0
_MAX_ROUNDS: Final = 50
_RPCS: Final = (CREATE_SESSION, DECRYPT_APPLE_PAY, CREATE_PAYMENT_METHOD)


def main() -> int:
    """Run; return 0, or 1 if anything went wrong or the gate failed."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    facts = machine()
    try:
        with ExitStack() as stack:
            stub = stack.enter_context(child("stub", role("stub")))
            upstream = f"http://127.0.0.1:{int(stub.line())}"
            starts = _starts(options, upstream)
            started, missing = rows.Rows(stack, upstream, options.against, options.go).start(options.rows)
            samples = _run(started, options)
            verdict = _gate(started, samples, options) if options.gate else None
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    ready = {"starts": starts, "start_ratios": start_ratios(starts)} if starts else {}
    write(options.output, samples=samples, facts=facts, missing=missing, **ready)
    parts = [tables(samples), start_table(starts) if starts else "", goal_table(samples)]
    parts += [f"NO ROW {name}: {reason}." for name, reason in missing.items()]
    parts.append(f"Lower is better; medians of {options.rounds} rounds; all samples are in {options.output}")
    print("\n\n".join(part for part in [*parts, verdict.text if verdict else ""] if part))
    return 1 if verdict and not verdict.passed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m programs.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.2, help="length of one window (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="windows per figure (default %(default)s)")
    parser.add_argument("--rows", nargs="+", choices=rows.NAMES, default=list(rows.NAMES), help="(default: all)")
    parser.add_argument("--rpcs", nargs="+", choices=_RPCS, default=_RPCS, help="(default: all)")
    parser.add_argument("--in-flight", type=int, nargs="+", help="numbers of calls (default: all that a row has)")
    parser.add_argument("--against", type=Path, help="root of another checkout; its service becomes one more row")
    parser.add_argument("--gate", action="store_true", help="fail if the service has become dearer than recorded")
    parser.add_argument("--go", default="", help="the go command (default: the one on the PATH)")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"), help="(default %(default)s)")
    options = parser.parse_args()
    if not 0 < options.seconds <= _MAX_SECONDS or not 1 <= options.rounds <= _MAX_ROUNDS:
        parser.error(f"at most {_MAX_SECONDS:.0f} seconds and {_MAX_ROUNDS} rounds")
    if options.gate and not {SERVICE, ECHO, HTTPX} <= set(options.rows):
        parser.error(f"the gate needs the rows {SERVICE}, {ECHO} and {HTTPX}")
    if options.against is not None:
        options.against = options.against.resolve()
        options.rows = [*options.rows, AGAINST]
    return options


def _starts(options: argparse.Namespace, upstream: str) -> Sequence[Start]:
    """Measure starts if the rows that they compare are wanted."""
    if not {SERVICE, UNEXPORTED, ECHO} <= set(options.rows):
        return []
    return measure_starts(upstream=upstream, rounds=options.rounds)


def _run(started: Sequence[Row], options: argparse.Namespace) -> Sequence[Sample]:
    windows = list(_windows(started, options))
    for row in started:
        _warm_up(row)
    levels = [level for _, level in windows]
    print(f"about {estimate_s(levels, rounds=options.rounds, seconds=options.seconds):.0f} s", file=sys.stderr)
    samples = _measure(windows, rounds=range(1, options.rounds + 1), seconds=options.seconds)
    for row in started:
        if row.name == HUB:
            # Each of them has to be answered; a 503 ends the run.
            measure(row, Level(HUB_PAYMENT, HUB_IN_FLIGHT), number=0, seconds=options.seconds)
            print(f"{HUB}: {HUB_IN_FLIGHT} in flight, all answered", file=sys.stderr)
    return samples


def _windows(started: Sequence[Row], options: argparse.Namespace) -> Iterator[tuple[Row, Level]]:
    """Yield what one round measures, rows that are compared one after another."""
    for level in dict.fromkeys(level for row in started for level in row.levels):
        wanted = level.rpc in (*options.rpcs, HUB_PAYMENT)
        if wanted and (not options.in_flight or level.in_flight in options.in_flight):
            yield from ((row, level) for row in started if level in row.levels)


def _warm_up(row: Row) -> None:
    busy = next(level for level in row.levels if level.in_flight == BUSY)
    costs_us = warm_up(row, busy)
    print(f"warm-up, {row.name}: {' '.join(f'{cost:.0f}' for cost in costs_us)} us CPU", file=sys.stderr)


def _measure(windows: Sequence[tuple[Row, Level]], *, rounds: range, seconds: float) -> Sequence[Sample]:
    samples: list[Sample] = []
    for number in rounds:
        for row, level in windows:
            sample = measure(row, level, number=number, seconds=seconds)
            samples.append(sample)
            where = f"round {number} of {rounds[-1]}, {level.rpc}, {level.in_flight:4} in flight, {row.name:10}"
            print(f"{where} {sample.cpu_us:6.0f} us CPU, {sample.calls_per_s:6.0f} calls/s", file=sys.stderr)
    return samples


def _gate(started: Sequence[Row], samples: Sequence[Sample], options: argparse.Namespace) -> gate.Verdict:
    record = gate.recorded()
    level = Level(CREATE_SESSION, record.in_flight)

    def ratio(measured: Sequence[Sample]) -> float:
        found = figure_of(TO_FLOOR, rounds_of(measured), level)
        if found is None:
            raise BenchError(f"The gate needs CreateSession with {record.in_flight} in flight.")
        return found.median

    def again() -> float:
        windows = [(row, level) for row in started if row.name in {SERVICE, ECHO, HTTPX}]
        return ratio(_measure(windows, rounds=range(1, options.rounds + 1), seconds=options.seconds))

    return gate.judge(record, ratio(samples), again)


if __name__ == "__main__":
    sys.exit(main())
