"""How long a process takes from its start until it is ready, and how much memory it has then, while nobody calls."""

import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from programs.bench.children import BenchError, child, collector, role
from programs.bench.figures import ECHO, SERVICE, UNEXPORTED
from programs.bench.service import Variant, service

_MB: Final = 2**20
_LOOK_S: Final = 0.005
_READY_S: Final = 30.0
# Of reference goals for a service of this kind: a start and a memory that its stack alone would have.
READY_GOAL: Final = 1.3
REST_GOAL_MB: Final = 50.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start of one process."""

    row: str
    round: int
    ready_s: float
    """From its start until it takes calls; the service's first token is fetched then."""
    rest_mb: float
    """Resident memory when it is ready."""


def measure_starts(*, upstream: str, rounds: int) -> Sequence[Start]:
    """Start each process in turn, the given number of times.

    Args:
        upstream: Scheme, host and port of the stub that issues tokens.
        rounds: How often.

    Raises:
        BenchError: One of them does not become ready.
    """
    starts: list[Start] = []
    with collector("healthy") as healthy:
        for number in range(1, rounds + 1):
            starts.append(_echo(number))
            starts.append(_service(SERVICE, number, upstream, Variant(collector=healthy)))
            starts.append(_service(UNEXPORTED, number, upstream, Variant()))
            line = ", ".join(
                f"{start.row} {start.ready_s * 1e3:.0f} ms {start.rest_mb:.0f} MB" for start in starts[-3:]
            )
            print(f"start {number} of {rounds}: {line}", file=sys.stderr)
    return starts


def _echo(number: int) -> Start:
    began_s = time.perf_counter()
    with child(ECHO, role(ECHO)) as process:
        process.line()
        return Start(ECHO, number, time.perf_counter() - began_s, process.rss_bytes() / _MB)


def _service(name: str, number: int, upstream: str, variant: Variant) -> Start:
    with tempfile.TemporaryDirectory(prefix="payorch-bench-") as folder:
        began_s = time.perf_counter()
        with service(name, variant, upstream=upstream, folder=Path(folder)) as (process, addresses):
            _until_ready(addresses.admin)
            return Start(name, number, time.perf_counter() - began_s, process.rss_bytes() / _MB)


def _until_ready(admin: str) -> None:
    give_up_s = time.perf_counter() + _READY_S
    while time.perf_counter() < give_up_s:
        try:
            with urllib.request.urlopen(f"http://{admin}/readyz"):
                return
        except urllib.error.HTTPError:
            time.sleep(_LOOK_S)  # between two looks at a service that does not report when it is ready
    raise BenchError(f"The service did not become ready within {_READY_S:.0f} s.")


def start_ratios(starts: Sequence[Start]) -> dict[str, float]:
    """Return the medians over the rounds: start to ready beside the echo, and memory at rest in megabytes."""
    rounds: dict[int, dict[str, Start]] = {}
    for start in starts:
        rounds.setdefault(start.round, {})[start.row] = start
    measured = list(rounds.values())
    ready = {
        f"ready: {row} / {ECHO}": statistics.median(found[row].ready_s / found[ECHO].ready_s for found in measured)
        for row in (SERVICE, UNEXPORTED)
    }
    rest = {
        f"at rest, MB: {row}": statistics.median(found[row].rest_mb for found in measured)
        for row in (ECHO, SERVICE, UNEXPORTED)
    }
    return ready | rest


def start_table(starts: Sequence[Start]) -> str:
    """Return the figures beside the goals they are measured by."""
    goals = {
        "ready: service / echo": READY_GOAL,
        "ready: unexported / echo": READY_GOAL,
        "at rest, MB: service": REST_GOAL_MB,
    }
    lines = [f"{'start and rest':34}{'measured':>10}{'goal':>10}"]
    for name, figure in start_ratios(starts).items():
        goal = f"{goals[name]:>10.1f}" if name in goals else ""
        lines.append(f"{name:34}{figure:>10.1f}{goal}")
    return "\n".join(lines)
