"""What a run says: ratios first, with everything that is needed to judge them."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from programs.bench.measure import IN_FLIGHT, Sample

SERVICE, AGAINST, ECHO, HTTPX, AIOHTTP = "service", "against", "echo", "httpx", "aiohttp"
HUB, BRIDGE = "hub", "bridge"
TRACED: Final = "traced"
COLLECTORS: Final = {TRACED: "healthy", "down": "down", "slow": "slow", "refusing": "refusing"}
"""Rows of a service that sends every span, and how the collector is that they go to."""
_PACKAGES: Final = (
    "aiohttp",
    "grpcio",
    "httpx",
    "httpx-aiohttp",
    "msgspec",
    "opentelemetry-sdk",
    "protobuf",
    "protovalidate",
    "structlog",
    "uvloop",
)
Round = dict[str, Sample]
_RATIOS: Final[dict[str, Callable[[Round], float]]] = {
    "cpu: service / echo": lambda one: one[SERVICE].cpu_us / one[ECHO].cpu_us,
    "cpu: service / (echo + httpx)": lambda one: one[SERVICE].cpu_us / (one[ECHO].cpu_us + one[HTTPX].cpu_us),
    "cpu: httpx / aiohttp": lambda one: one[HTTPX].cpu_us / one[AIOHTTP].cpu_us,
    "p50: service / echo": lambda one: one[SERVICE].p50_us / one[ECHO].p50_us,
    "p99: service / echo": lambda one: one[SERVICE].p99_us / one[ECHO].p99_us,
    "cpu: hub / bridge": lambda one: one[HUB].cpu_us / one[BRIDGE].cpu_us,
    "p50: hub / bridge": lambda one: one[HUB].p50_us / one[BRIDGE].p50_us,
    "cpu: traced / service": lambda one: one[TRACED].cpu_us / one[SERVICE].cpu_us,
    "p50: traced / service": lambda one: one[TRACED].p50_us / one[SERVICE].p50_us,
    "p99: traced / service": lambda one: one[TRACED].p99_us / one[SERVICE].p99_us,
    "p99: collector down / healthy": lambda one: one["down"].p99_us / one[TRACED].p99_us,
    "p99: collector slow / healthy": lambda one: one["slow"].p99_us / one[TRACED].p99_us,
    "p99: collector refusing / healthy": lambda one: one["refusing"].p99_us / one[TRACED].p99_us,
}
_AGAINST_RATIO: Final[dict[str, Callable[[Round], float]]] = {
    "cpu: service / against": lambda one: one[SERVICE].cpu_us / one[AGAINST].cpu_us,
    "p50: service / against": lambda one: one[SERVICE].p50_us / one[AGAINST].p50_us,
}


def ratios(samples: Sequence[Sample]) -> dict[str, dict[int, float]]:
    """Return each ratio at each number in flight: the median over the rounds."""
    wanted = _RATIOS | (_AGAINST_RATIO if any(one.row == AGAINST for one in samples) else {})
    return {
        name: {in_flight: statistics.median(map(ratio, _rounds(samples, in_flight))) for in_flight in IN_FLIGHT}
        for name, ratio in wanted.items()
    }


def _rounds(samples: Sequence[Sample], in_flight: int) -> list[Round]:
    rounds: dict[int, Round] = {}
    for sample in samples:
        if sample.in_flight == in_flight:
            rounds.setdefault(sample.round, {})[sample.row] = sample
    return list(rounds.values())


def table(samples: Sequence[Sample]) -> str:
    """Return the ratios, and below them the medians that hold on this machine, in this run."""
    lines = [f"{'in flight':34}" + "".join(f"{number:>10}" for number in IN_FLIGHT)]
    for name, by_number in ratios(samples).items():
        lines.append(f"{name:34}" + "".join(f"{by_number[number]:>10.2f}" for number in IN_FLIGHT))
    lines.append("")
    for member, unit in (("cpu_us", "us CPU/call"), ("p50_us", "us p50"), ("p99_us", "us p99")):
        for row in dict.fromkeys(sample.row for sample in samples):
            medians = [_median(samples, row, number, member) for number in IN_FLIGHT]
            lines.append(f"{f'{row}, {unit}':34}" + "".join(f"{median:>10.0f}" for median in medians))
    return "\n".join(lines)


def _median(samples: Sequence[Sample], row: str, in_flight: int, member: str) -> float:
    return statistics.median(
        float(getattr(one, member)) for one in samples if one.row == row and one.in_flight == in_flight
    )


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(
    path: Path,
    *,
    samples: Sequence[Sample],
    starts: Sequence[Any],
    start_ratios: dict[str, float],
    facts: dict[str, Any],
) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": facts,
        "ratios": ratios(samples),
        "start_ratios": start_ratios,
        "samples": [asdict(one) for one in samples],
        "starts": [asdict(one) for one in starts],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
