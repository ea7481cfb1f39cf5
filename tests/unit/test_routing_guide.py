"""docs/routing.md is executed."""

import re
import shlex
from pathlib import Path

import pytest
from payorch_server import cli
from payorch_server.config import load_document
from payorch_server.routing.table import policy_hash

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CONSOLES = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    (match[1], match[2])
    for console in CONSOLES
    for match in re.finditer(r"^\$ payorch-server (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write every file of the page into a folder and go there."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestTheGuide:
    """What a reader types does what the page says."""

    def test_has_files_and_commands(self) -> None:
        """The expressions above still find them."""
        assert sorted(FILES) == ["call.json", "cases.yaml", "new.yaml", "payorch.yaml"]
        assert [command.split()[1] for command, _ in COMMANDS] == ["explain", "test", "diff", "lint"]

    @pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command.split()[1] for command, _ in COMMANDS])
    def test_shows_what_commands_print(
        self, folder: Path, capsys: pytest.CaptureFixture[str], command: str, shown: str
    ) -> None:
        """Word for word, but for the hash."""
        document = load_document(folder / "payorch.yaml")
        policy = policy_hash(document.tenants, document.routing)

        cli.main(shlex.split(command))

        assert capsys.readouterr().out == shown.replace("POLICY", policy)

    def test_is_linked_from_the_readme(self) -> None:
        """Where an operator begins to read."""
        assert "](docs/routing.md)" in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
