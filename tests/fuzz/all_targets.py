"""The targets by name."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

from fuzz.target import Target

CORPUS: Final = Path(__file__).parent / "corpus"
"""A folder for each target, with past findings and other inputs that are worth keeping."""


def names() -> list[str]:
    """Return the names of all targets, in order."""
    return sorted(path.stem for path in (Path(__file__).parent / "targets").glob("[a-z]*.py"))


def target_of(name: str) -> Target:
    """Return a target by its name; its module is imported only now, so that it can be instrumented."""
    target: Target = import_module(f"fuzz.targets.{name}").TARGET
    return target


@cache
def targets() -> Mapping[str, Target]:
    """Return all targets by name."""
    return {name: target_of(name) for name in names()}


def kept(name: str) -> list[Path]:
    """Return the inputs in the corpus of a target, in order."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
