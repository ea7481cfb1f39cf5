"""What a run says: ratios first, with everything that is needed to judge them."""

import os
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from programs.bench.figures import GOALS, RATIOS, figure_of, rounds_of
from programs.bench.levels import Level
from programs.bench.measure import Sample

_PACKAGES: Final = (
    "aiohttp",
    "grpcio",
    "httpx",
    "httpx-aiohttp",
    "msgspec",
    "opentelemetry-sdk",
    "protobuf",
    "protovalidate",
    "pydantic",
    "structlog",
    "uvloop",
)
_NAME_WIDTH: Final = 34
_WIDTH: Final = 14


def tables(samples: Sequence[Sample]) -> str:
    """Return for each kind of call the ratios, and below them the medians that hold on this machine, in this run."""
    kinds = dict.fromkeys(sample.rpc for sample in samples)
    return "\n\n".join(_table(kind, [sample for sample in samples if sample.rpc == kind]) for kind in kinds)


def _table(kind: str, samples: Sequence[Sample]) -> str:
    levels = sorted({sample.level for sample in samples})
    rounds = rounds_of(samples)
    lines = [_line(f"{kind}, in flight", [str(level.in_flight) for level in levels])]
    for ratio in RATIOS:
        figures = [figure_of(ratio, rounds, level) for level in levels]
        if any(figures):
            lines.append(_line(ratio.name, [str(found or "") for found in figures]))
    lines.append("")
    for member, unit in (("cpu_us", "us CPU/call"), ("p50_us", "us p50"), ("p99_us", "us p99")):
        lines += (
            _line(f"{row}, {unit}", [_median(samples, row, level, member) for level in levels])
            for row in dict.fromkeys(sample.row for sample in samples)
        )
    return "\n".join(lines)


def _line(name: str, cells: Sequence[str]) -> str:
    return (f"{name:{_NAME_WIDTH}}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)).rstrip()


def _median(samples: Sequence[Sample], row: str, level: Level, member: str) -> str:
    values = [getattr(sample, member) for sample in samples if sample.row == row and sample.level == level]
    return f"{statistics.median(values):.0f}" if values else ""


def goal_table(samples: Sequence[Sample]) -> str:
    """Return what was reached of each goal whose rows were measured; empty if there is none."""
    rounds = rounds_of(samples)
    lines = [_line("goals, in flight", ["", "measured", "goal", ""])]
    for goal in GOALS:
        if found := figure_of(goal.of, rounds, goal.level):
            limit = f"{'>=' if goal.at_least else '<='} {goal.limit:g}"
            lines.append(_line(goal.of.name, [str(goal.in_flight), str(found), limit, goal.verdict(found)]))
    return "\n".join(lines) if len(lines) > 1 else ""


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


def _ratios(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    rounds = rounds_of(samples)
    for level in sorted({sample.level for sample in samples}):
        for ratio in RATIOS:
            if found := figure_of(ratio, rounds, level):
                yield {"ratio": ratio.name, **level._asdict(), **asdict(found)}


def write(path: Path, *, samples: Sequence[Sample], facts: Mapping[str, Any], **more: Any) -> None:
    """Write everything as JSON.

    Args:
        path: The file.
        samples: All of them.
        facts: About the machine.
        more: Whatever else there is to keep.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": facts,
        "ratios": list(_ratios(samples)),
        **more,
        "samples": [asdict(sample) for sample in samples],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
