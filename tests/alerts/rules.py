"""The alert rules of the chart, their tests, and promtool, which executes both."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "helm" / "payorch" / "alerts"
TESTS: Final = ROOT / "tests" / "alerts"
MISSING: Final = (
    "promtool is not on the PATH. Debian: apt-get install prometheus. It is part of every Prometheus release."
)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool.

    Raises:
        AssertionError: There is none; what cannot be checked is not taken for checked.
    """
    program = shutil.which("promtool")
    assert program, MISSING
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - ours


def rule_files() -> list[Path]:
    """Return the files of rules."""
    return sorted(RULES.glob("*.yaml"))


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule."""
    for file in rule_files():
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, list[dict[str, Any]]]:
    """Return the rules of each alert by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in rules():
        if "alert" in rule:
            found.setdefault(rule["alert"], []).append(rule)
    return found


def recorded() -> dict[str, str]:
    """Return the expression of each series that a rule records."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
