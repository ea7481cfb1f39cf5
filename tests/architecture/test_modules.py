"""The sizes and names that keep the code readable."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from architecture.source_files import PACKAGES, modules, name_of

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without signature and docstring, which are there to be long."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


class TestModules:
    """A reader holds one module in the head."""

    def test_are_found(self) -> None:
        """The walk below sees all three packages."""
        walked = list(modules())

        assert all(any(path.is_relative_to(package) for path in walked) for package in PACKAGES)
        assert len(walked) > 80

    @pytest.mark.parametrize("path", list(modules()), ids=name_of)
    def test_have_at_most_400_lines_and_functions_of_40(self, path: Path) -> None:
        """The giant file is the ugliest of every good repository."""
        text = path.read_text()
        lengths = {one.name: body_lines(one) for one in functions(ast.parse(text))}
        long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES}

        assert (len(text.splitlines()) <= MAX_MODULE_LINES, long) == (True, {})

    @pytest.mark.parametrize("path", list(modules()), ids=name_of)
    def test_are_named_for_a_thing(self, path: Path) -> None:
        """A name that fits anything attracts everything."""
        assert path.stem.strip("_") not in EMPTY_NAMES


def init_files() -> Iterator[Path]:
    """Yield the files that say what a package offers."""
    return (path for path in modules() if path.name == "__init__.py")


class TestPackages:
    """What a package offers is written down once."""

    @pytest.mark.parametrize("path", list(init_files()), ids=name_of)
    def test_export_what_they_import(self, path: Path) -> None:
        """`__all__` and the imports name the same things, in order."""
        tree = ast.parse(path.read_text())
        imported = [
            alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
        ]
        defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        exported = next(
            (
                ast.literal_eval(node.value)
                for node in tree.body
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            ),
            [],
        )

        assert sorted(exported) == sorted([*imported, *defined])
