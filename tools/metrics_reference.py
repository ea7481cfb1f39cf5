"""Writes docs/metrics-reference.md from the code that makes the metrics; the gate that finds drift.

python tools/metrics_reference.py          write the page
python tools/metrics_reference.py --check  fail if it differs

Names and labels are those of metric_names.py, which a test compares with a running service. Descriptions are read from
the code that makes the instruments; a metric without one is an error.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from metric_names import METRICS, REASONS, Metric

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "metrics-reference.md"
SERVICE: Final = ROOT / "service" / "payorch_server"
# Those of prometheus_client, about the process.
_OF_THE_LIBRARY: Final = {
    "process.cpu.seconds": "CPU time of the process, user and system, in seconds.",
    "process.resident_memory_bytes": "Memory of the process that is in RAM, in bytes.",
    "process.virtual_memory_bytes": "Address space of the process, in bytes.",
    "process.start_time": "When the process started, Unix time in seconds.",
    "process.open_fds": "Open file descriptors.",
    "process.max_fds": "File descriptors that the process may open.",
    "python.gc.collections": "Runs of the garbage collector.",
    "python.gc.objects_collected": "Objects that it collected.",
    "python.gc.objects_uncollectable": "Objects that it could not collect.",
}
_MOST_VALUES: Final = 8
_HEAD: Final = """\
# Metrics reference

Every metric of the service and of [the hub](upc.md), as Prometheus reads it at `/metrics` of the admin listener.
The tables are generated from the code by `make generate`.
[runbooks.md](runbooks.md) says what to do when an alert fires, and [slo.md](slo.md) has the objectives.

A *counter* only grows while a process lives; its name ends in `_total`.
A *histogram* has the series `_bucket` with the label `le`, `_sum` and `_count`.
Prometheus itself adds labels such as `job`, `instance`, `namespace` and `pod`.
Over OTLP (`telemetry.otlp_metrics`) the names have points in place of underscores, and neither unit nor `_total`;
metrics of the process itself are at `/metrics` alone.
"""


class UndescribedError(Exception):
    """A metric has no description in the code."""


def descriptions() -> dict[str, str]:
    """Return the descriptions in the code, by the metric's name."""
    found = dict(_OF_THE_LIBRARY)
    for path in sorted(SERVICE.rglob("*.py")):
        found.update(_described(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _described(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield name and description of each instrument: arguments of a call, or members of a table's row."""
    names = {metric.name for metric in METRICS}
    for node in ast.walk(tree):
        parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        name = next((text for text in texts if text in names), None)
        if name is None:
            continue
        if isinstance(node, ast.Call):
            texts = [
                keyword.value.value
                for keyword in node.keywords
                if keyword.arg == "description"
                and isinstance(keyword.value, ast.Constant)
                and isinstance(keyword.value.value, str)
            ]
        if texts and texts[-1] != name:
            yield name, texts[-1]


def page() -> str:
    """Return the page.

    Raises:
        UndescribedError: A metric has no description.
    """
    described = descriptions()
    if missing := [metric.name for metric in METRICS if metric.name not in described]:
        raise UndescribedError(f"no description of {', '.join(missing)}")
    groups = {
        "The service": [
            metric for metric in METRICS if not metric.name.startswith(("payorch.upc.", "process.", "python."))
        ],
        "The hub": [metric for metric in METRICS if metric.name.startswith("payorch.upc.")],
        "The process": [metric for metric in METRICS if metric.name.startswith(("process.", "python."))],
    }
    return _HEAD + "".join(
        f"\n## {title}\n\n| metric | kind | labels | what it is |\n|---|---|---|---|\n"
        + "".join(_row(metric, described[metric.name]) for metric in metrics)
        for title, metrics in groups.items()
    )


def _row(metric: Metric, description: str) -> str:
    labels = ", ".join(_label(metric, label) for label in sorted(metric.labels))
    return f"| `{metric.family}` | {metric.kind} | {labels} | {description} |\n"


def _label(metric: Metric, label: str) -> str:
    """Return a label, and what it can be where that is a short list or that of the reasons."""
    values = metric.values.get(label, frozenset()) - {""}
    has_reasons = values >= REASONS
    own = sorted(values - REASONS if has_reasons else values)
    shown = [*own, "[a reason](errors.md)"] if has_reasons else own if len(own) <= _MOST_VALUES else []
    return f"`{label}` ({', '.join(shown)})" if shown else f"`{label}`"


def main() -> None:
    """Write or compare."""
    fresh = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(fresh, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/metrics-reference.md differs from the code; run `make generate`.")


if __name__ == "__main__":
    main()
