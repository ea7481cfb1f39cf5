"""Finds the contract test that is about a field: it has its name in a text, or passes an argument of that name."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

GENERAL = "test_openapi.py", "TestARequestThatFollowsTheDocument::test_is_answered_as_described"
"""Makes requests with every field of the document."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test."""

    module: str
    name: str
    words: frozenset[str]


def tests_in(folder: Path) -> list[Test]:
    """Return the tests of a folder."""
    return [test for path in sorted(folder.glob("test_*.py")) for test in _tests(path)]


def test_of(tests: Sequence[Test], names: Sequence[str], module: str) -> tuple[str, str]:
    """Return module and name of the test about a field: of this module if there is one, else any, else the general one.

    Args:
        tests: All tests.
        names: The field's name after those of the objects that it is in; a test has to name the nearest of these.
        module: Where its operation is tested.
    """
    about = [test for test in tests if test.words.issuperset(names[-2:])]
    best = max(about, key=lambda test: (test.module == module, -len(test.words)), default=None)
    return (best.module, best.name) if best else GENERAL


def _tests(path: Path) -> Iterator[Test]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for outer in tree.body:
        members = outer.body if isinstance(outer, ast.ClassDef) else [outer]
        prefix = f"{outer.name}::" if isinstance(outer, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name.startswith("test_"):
                yield Test(path.name, prefix + member.name, frozenset(_words(member)))


def _words(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield the words of the texts and the names of the arguments, but not of the sentence that describes the test."""
    described = ast.get_docstring(function, clean=False)
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != described:
            yield from re.findall(r"[\w-]+(?:\[\])?", node.value)
        elif isinstance(node, ast.keyword) and node.arg:
            yield from (node.arg, node.arg.replace("_", "-").title())
