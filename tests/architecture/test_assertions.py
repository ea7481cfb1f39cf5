"""A test without an assertion passes whatever the code does."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from architecture.source_files import EMULATOR, ROOT, name_of

TESTS = ROOT / "tests"
ALLOWED = {
    "tests/integration/store/test_contract.py::test_behaves_like_a_dictionary_with_versions": (
        "the rules of its state machine assert, and Hypothesis runs them"
    ),
}


@dataclass(frozen=True, slots=True)
class Function:
    """What matters of a function in tests/."""

    module: str
    name: str
    asserts: bool
    """Its own lines have an `assert`, raise AssertionError, or use `pytest.raises`, `pytest.warns` or `pytest.fail`."""
    calls: frozenset[str]
    """The functions that it calls by a plain name."""


def functions_in(text: str, *, module: str) -> Iterator[Function]:
    """Yield the functions of a module, nested ones and methods too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            within = list(ast.walk(node))
            calls = {call.func.id for call in within if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
            yield Function(module, node.name, any(map(is_assertion, within)), frozenset(calls))


def is_assertion(node: ast.AST) -> bool:
    """Tell whether a node can fail a test."""
    match node:
        case ast.Assert() | ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError"))):
            return True
        case ast.Attribute(value=ast.Name(id="pytest"), attr="raises" | "warns" | "fail"):
            return True
        case _:
            return False


def without_assertion(functions: list[Function]) -> set[str]:
    """Return the tests that assert neither themselves nor through functions that they call.

    A name means the function of the same module; one that is imported has to assert wherever it is defined.
    """
    named = defaultdict(list)
    for function in functions:
        named[function.name].append(function)

    def meant(name: str, caller: Function) -> list[Function]:
        return [function for function in named[name] if function.module == caller.module] or named[name]

    def reaches_assertion(function: Function) -> bool:
        called = [meant(name, function) for name in function.calls if name in named]
        return any(asserting.issuperset(meant_by_name) for meant_by_name in called)

    asserting = {function for function in functions if function.asserts}
    while more := set(filter(reaches_assertion, functions)) - asserting:
        asserting |= more
    silent = set(functions) - asserting
    return {f"{test.module}::{test.name}" for test in silent if test.name.startswith("test_")}


def modules_of_tests() -> list[Path]:
    """List the modules below tests/, but for those of the emulator, which is a program."""
    return [path for path in sorted(TESTS.rglob("*.py")) if not path.is_relative_to(EMULATOR)]


class TestTests:
    """Every test can fail."""

    def test_assert(self) -> None:
        """Themselves or through a helper; the list of exceptions holds no more than there are."""
        found = [
            function for path in modules_of_tests() for function in functions_in(path.read_text(), module=name_of(path))
        ]

        assert len(found) > 2000
        assert set(ALLOWED) == without_assertion(found)

    @pytest.mark.parametrize(
        ("code", "found"),
        [
            ("def test_a(): assert f()", set()),
            ("def test_a():\n with pytest.raises(ValueError): f()", set()),
            ("def test_a(): pytest.fail('no')", set()),
            ("def test_a(): raise AssertionError('no')", set()),
            ("async def test_a(): await check()\nasync def check(): inner()\ndef inner(): assert f()", set()),
            ("def test_a(): f()", {"a.py::test_a"}),
            ("async def test_a(): await f()", {"a.py::test_a"}),
            ("class TestA:\n def test_a(self): f()", {"a.py::test_a"}),
            ("def test_a(): check()\ndef check(): again()\ndef again(): check()", {"a.py::test_a"}),
            ("def test_a(): check()\ndef check(): assert f()\nclass Other:\n def check(self): ...", {"a.py::test_a"}),
        ],
    )
    def test_are_seen_through(self, code: str, found: set[str]) -> None:
        """A planted test without an assertion is found, and none with one."""
        assert found == without_assertion(list(functions_in(code, module="a.py")))
