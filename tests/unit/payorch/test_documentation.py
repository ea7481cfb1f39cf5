"""What the documentation of the package shows is so."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import payorch
import pytest
from payorch.testing import FakePayorch

pytest_plugins = ["payorch.testing.pytest_plugin"]
PACKAGE = Path("clients/python")
README = (PACKAGE / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
MODULES = [
    module.name
    for module in pkgutil.walk_packages(payorch.__path__, "payorch.")
    if not module.name.startswith("payorch.v1")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_are_right(name: str) -> None:
    """Each as its reader would run it."""
    assert 0 == doctest.testmod(importlib.import_module(name)).failed


def test_some_modules_have_examples() -> None:
    """The test above runs something."""
    finder = doctest.DocTestFinder()
    found = [example for name in MODULES for example in finder.find(importlib.import_module(name)) if example.examples]

    assert len(found) >= 5


def test_readme_shows_a_test_of_fifteen_lines(payorch_service: FakePayorch) -> None:
    """It runs, and it passes."""
    shown = PROGRAMS[1]
    names: dict[str, Any] = {}
    exec(shown, names)  # noqa: S102 - our own page

    names["test_a_refused_payment_names_the_field"](payorch_service)

    assert len([line for line in shown.splitlines() if line]) <= 15
    assert ["REQUEST_INVALID"] == [call.reason for call in payorch_service.calls]


def test_licence_is_that_of_the_project() -> None:
    """The package carries a copy, because a wheel holds nothing from outside its folder."""
    assert Path("LICENSE").read_text() == (PACKAGE / "LICENSE").read_text()
