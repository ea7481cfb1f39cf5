"""No call may fail and memory must stay bounded, whatever becomes of the collector that spans go to."""

import argparse
import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import aiohttp
import grpc
import msgspec
from harness.keyring import new_key_file
from harness.redis_server import servers
from harness.requests import session_request
from harness.service_process import COMMAND, write_configuration
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from programs.bench.children import BenchError, Child, child, collector

COLLECTORS: Final = ("healthy", "down", "slow", "refusing")
_IN_FLIGHT: Final = 16
_DEADLINE_S: Final = 20.0
_SHORTEST_WINDOW_S: Final = 2.0
_ROUNDS: Final = 10
# What a service with a collector that takes nothing may grow by, beyond what it has after its first window. The queue
# of 2048 spans is some 10 MB; 15 are the most that was seen. Without a bound it was 37 after a minute, and went on.
_MOST_GROWTH_MB: Final = 24.0
_MB: Final = 2**20
_EMULATOR: Final = Path(sys.executable).with_name("zuora-emulator")
_LINES_BEFORE_READY: Final = 50


@dataclass(slots=True)
class Subject:
    """A service with its collector, and what was seen of it."""

    collector: str
    process: Child
    stub: "service_grpc.PaymentOrchestrationServiceAsyncStub"
    metrics_url: str
    calls: int = 0
    p99_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    dropped: int = 0

    @property
    def growth_mb(self) -> float:
        """How much memory it took after its first window."""
        return max(self.memory_mb) - self.memory_mb[0]


def main() -> int:
    """Run; return 0 if every call succeeded and memory stayed bounded."""
    parser = argparse.ArgumentParser(prog="python -m programs.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of load in all (default %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    window_s = max(options.seconds / _ROUNDS / len(COLLECTORS), _SHORTEST_WINDOW_S)
    rounds = max(round(options.seconds / window_s / len(COLLECTORS)), 2)
    print(f"{rounds} rounds of {window_s:.0f} s for each of {', '.join(COLLECTORS)}", flush=True)
    try:
        with ExitStack() as stack:
            return asyncio.run(_soak(stack, rounds=rounds, window_s=window_s))
    except BenchError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1


async def _soak(stack: ExitStack, *, rounds: int, window_s: float) -> int:
    emulator = stack.enter_context(child("emulator", [_EMULATOR, "serve", "--port", "0", *_UNLIMITED]))
    emulator_url = _found(emulator, rb"http://127\.0\.0\.1:\d+")
    redis = stack.enter_context(servers()).start("--maxmemory-policy", "noeviction")
    subjects = [_started(stack, mode, emulator_url, redis.url) for mode in COLLECTORS]
    for number in range(1, rounds + 1):
        for one in subjects:
            await _load(one, seconds=window_s)
            print(
                f"round {number:2} of {rounds}, collector {one.collector:8} {one.calls:7} calls, "
                f"p99 {one.p99_ms[-1]:6.1f} ms, {one.memory_mb[-1]:6.1f} MB, {one.dropped:7} spans dropped",
                flush=True,
            )
    return _judged(subjects)


# One address and one tenant make every call here.
_UNLIMITED: Final = ("--switch", "rate_limit_per_minute=none", "--switch", "token_limit_per_minute=none")


def _started(stack: ExitStack, mode: str, emulator_url: str, redis_url: str) -> Subject:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-soak-")))
    (folder / "key").write_text(new_key_file())
    over = {
        "telemetry": {"traces": "otlp", "otlp_endpoint": stack.enter_context(collector(mode))},
        # In Redis, so that this process does not grow by what it remembers of calls.
        "store": {"kind": "redis", "url": redis_url},
        "intents": {"namespace": mode, "keys": [{"id": "k1", "file": str(folder / "key")}]},
    }
    file = write_configuration(folder, emulator_url, over)
    process = stack.enter_context(child(f"{mode} service", [COMMAND, "serve", "--config", file], logs=True))
    said = _found(process, rb'\{.*"event":"listening".*\}|\{.*"grpc_port".*\}')
    ports = msgspec.json.decode(said)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{ports['grpc_port']}")
    metrics_url = f"http://127.0.0.1:{ports['admin_port']}/metrics"
    return Subject(mode, process, service_grpc.PaymentOrchestrationServiceStub(channel), metrics_url)


def _found(process: Child, pattern: bytes) -> str:
    """Return the first thing a process says that fits."""
    for _ in range(_LINES_BEFORE_READY):
        if found := re.search(pattern, process.line()):
            return found.group().decode()
    raise BenchError(f"The {process.name} process does not listen.")


async def _load(subject: Subject, *, seconds: float) -> None:
    """Keep calls in flight for some seconds, and look at what they cost."""
    latencies_s: list[float] = []
    began = perf_counter()

    async def one_after_the_other() -> None:
        while perf_counter() - began < seconds:
            started = perf_counter()
            try:
                await subject.stub.CreateSession(session_request(), timeout=_DEADLINE_S, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                raise BenchError(
                    f"A call failed while the collector was {subject.collector}: {error.code().name} {error.details()}"
                ) from error
            latencies_s.append(perf_counter() - started)

    outcomes = await asyncio.gather(*(one_after_the_other() for _ in range(_IN_FLIGHT)), return_exceptions=True)
    for problem in outcomes:
        if problem is not None:
            raise problem
    latencies_s.sort()
    subject.calls += len(latencies_s)
    subject.p99_ms.append(latencies_s[len(latencies_s) * 99 // 100] * 1e3)
    subject.memory_mb.append(subject.process.rss_bytes() / _MB)
    subject.dropped = await _dropped(subject.metrics_url)


async def _dropped(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
    values = re.findall(r"^payorch_spans_dropped_total\{.*\} (\S+)$", text, re.MULTILINE)
    return int(sum(map(float, values)))


def _judged(subjects: Sequence[Subject]) -> int:
    healthy = next(one for one in subjects if one.collector == "healthy")
    print(f"\n{'collector':10}{'calls':>9}{'failed':>8}{'p99 / healthy':>15}{'growth, MB':>12}{'spans dropped':>15}")
    for one in subjects:
        ratio = median(one.p99_ms) / median(healthy.p99_ms)
        print(f"{one.collector:10}{one.calls:>9}{0:>8}{ratio:>15.2f}{one.growth_mb:>12.1f}{one.dropped:>15}")
    problems = [
        f"With its collector {one.collector} the service grew by {one.growth_mb:.0f} MB."
        for one in subjects
        if one.growth_mb > _MOST_GROWTH_MB
    ]
    problems += [
        f"With its collector {one.collector} the service dropped no span: it was no load."
        for one in subjects
        if one is not healthy and not one.dropped
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
