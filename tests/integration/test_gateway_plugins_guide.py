"""docs/gateway-plugins.md is executed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness.ports import free_port
from payorch_server import cli
from payorch_server.commands.certification_forms import ALL_CASES
from payorch_server.commands.certification_inputs import SECTIONS, read_inputs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gateway-plugins.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the only block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def rows(heading: str) -> list[tuple[str, str]]:
    """Return the first two cells of the rows below the table's heading."""
    table = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| (`[^|]+) \| (.+?) \|", table, re.MULTILINE)


@pytest.mark.timeout(60)
def test_certifies_the_example(tmp_path: Path) -> None:
    """As it is typed, the kill in the middle of a charge included, but for the port."""
    (tmp_path / "clients").symlink_to(ROOT / "clients")
    script = block("sh").replace("127.0.0.1:50061", f"127.0.0.1:{free_port()}")
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}

    done = subprocess.run(  # noqa: S603 - the page's own
        ["/bin/sh", "-c", script], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    last = done.stdout.splitlines()[-1]
    assert (done.returncode, last) == (0, f"{len(ALL_CASES)} cases: {len(ALL_CASES) - 2} passed, 2 does not apply"), (
        done
    )


def test_shows_magic_values_that_can_be_read(tmp_path: Path) -> None:
    """Every section, and amounts."""
    file = tmp_path / "magic.yaml"
    file.write_text(block("yaml"))

    inputs = read_inputs(file)

    assert set(inputs.fields) == set(SECTIONS)
    assert {name for name, _ in rows("section")} == {f"`{name}`" for name in SECTIONS}
    assert inputs.amount("decline", "USD") == 2000


def test_lists_every_case() -> None:
    """With what is expected."""
    assert rows("case") == [(f"`{case.name}`", case.expected) for case in ALL_CASES]


def test_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of the command's own help."""
    with pytest.raises(SystemExit):
        cli.main(["upc", "certify", "--help"])

    options = set(re.findall(r"--[\w-]+", capsys.readouterr().out)) - {"--help"}
    assert {option for name, _ in rows("option") for option in re.findall(r"--[\w-]+", name)} == options


def test_is_linked_from_the_readme() -> None:
    """Where a reader begins."""
    assert "](docs/gateway-plugins.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
