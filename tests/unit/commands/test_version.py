"""How a person learns which version is installed."""

import tomllib
from pathlib import Path

import pytest
from payorch_server import cli, version
from zuora_emulator import cli as emulator_cli


@pytest.mark.parametrize(
    ("main", "project"),
    [(cli.main, "pyproject.toml"), (emulator_cli.main, "tests/emulator/pyproject.toml")],
    ids=["service", "emulator"],
)
def test_is_printed_by_its_own_option(main: object, project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, with the name of the command."""
    declared = tomllib.loads(Path(project).read_text())["project"]

    with pytest.raises(SystemExit) as ended:
        main(["--version"])  # type: ignore[operator] # one of two functions

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{next(iter(declared['scripts']))} {declared['version']}\n"


def test_of_the_package_is_that_of_its_project() -> None:
    """The installed one is this tree."""
    assert version() == tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
