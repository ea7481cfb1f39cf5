"""The sizes and names that keep the code readable."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from architecture.source_files import PACKAGES, SERVICE, modules, name_of

MAX_MODULE_LINES = 350
MAX_TINY_MODULES = 10
TINY_LINES = 40
MAX_FUNCTION_LINES = 40
SHARED_NAMES = {"__init__", "settings", "metrics", "errors"}
"""What several packages have one of."""
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
    def test_have_at_most_350_lines_and_functions_of_40(self, path: Path) -> None:
        """The giant file is the ugliest of every good repository."""
        text = path.read_text()
        lengths = {one.name: body_lines(one) for one in functions(ast.parse(text))}
        long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES}

        assert (len(text.splitlines()) <= MAX_MODULE_LINES, long) == (True, {})

    @pytest.mark.parametrize("path", list(modules()), ids=name_of)
    def test_are_named_for_a_thing(self, path: Path) -> None:
        """A name that fits anything attracts everything."""
        assert path.stem.strip("_") not in EMPTY_NAMES


class TestService:
    """What a reader of tabs and searches relies on."""

    def test_has_every_file_name_once(self) -> None:
        """Two tabs of one name cannot be told apart."""
        names = Counter(path.stem for path in SERVICE.rglob("*.py") if path.stem not in SHARED_NAMES)

        assert {name: count for name, count in names.items() if count > 1} == {}

    def test_has_few_tiny_modules(self) -> None:
        """The price of fine files is paid in imports; interceptors are the pipeline, one file each."""
        counted = [
            path for path in SERVICE.rglob("*.py") if "__" not in path.stem and path.parent.name != "interceptors"
        ]
        tiny = [name_of(path) for path in counted if len(path.read_text().splitlines()) <= TINY_LINES]

        assert len(tiny) <= MAX_TINY_MODULES, tiny

    @pytest.mark.parametrize("path", sorted(SERVICE.rglob("*.py")), ids=name_of)
    def test_names_loop_variables_after_what_they_hold(self, path: Path) -> None:
        """`one` says nothing."""
        targets = [
            node.target
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.For | ast.comprehension)
        ]

        assert [
            node.lineno
            for target in targets
            for node in ast.walk(target)
            if isinstance(node, ast.Name) and node.id == "one"
        ] == []


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
