"""docs/architecture.md shows the packages and the way of a request as they are."""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest
from architecture.source_files import ROOT, SERVICE

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
_STEP = re.compile(r"^\| (\d+) \| `([\w/]+\.py)` \| `([\w.]+)` \| \S.* \|$", re.MULTILINE)


def section(title: str) -> str:
    """Return the text below a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def steps() -> list[tuple[int, str, str]]:
    """Return number, file and function of each row of the request's way."""
    return [(int(number), file, name) for number, file, name in _STEP.findall(section("The way of a request"))]


def defined_in(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Yield the functions and classes of a module, and the methods of its classes as `Class.method`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from defined_in(node.body, f"{node.name}.")


class TestTheWayOfARequest:
    """A reader can follow it in the code."""

    def test_is_read_from_the_page(self) -> None:
        """Every row of the table has the form that the other test reads, and no step is missing."""
        rows = [line for line in section("The way of a request").splitlines() if re.match(r"\| \d", line)]

        assert len(rows) == len(steps())
        assert list(range(1, 13)) == sorted({number for number, _, _ in steps()})

    @pytest.mark.parametrize(("file", "name"), [step[1:] for step in steps()], ids=lambda value: value)
    def test_exists(self, file: str, name: str) -> None:
        """The file is there, and the function is defined in it."""
        path = SERVICE / file

        assert path.is_file()
        assert name in set(defined_in(ast.parse(path.read_text(encoding="utf-8")).body))


class TestThePackages:
    """The picture is that of the import contract."""

    def test_are_the_layers_of_the_contract(self) -> None:
        """In their order."""
        picture = re.search(r"```text\n(.*?)```", section("Packages"), re.DOTALL)
        contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")

        assert picture is not None
        assert layers == [re.split(r"  +", line)[0] for line in picture[1].splitlines()]

    def test_are_all_described(self) -> None:
        """A row for each package, and none for one that does not exist."""
        rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \| [^|]+ \| [^|]+ \|$", section("Packages"), re.MULTILINE)
        packages = {path.parent.name for path in SERVICE.glob("*/__init__.py")}

        assert sorted({*packages, "cli"}) == sorted(rows)
