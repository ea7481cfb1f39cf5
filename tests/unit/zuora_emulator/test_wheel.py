"""The emulator as a wheel, where neither the service nor its client is installed."""

import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import zuora_emulator

PROJECT = Path(zuora_emulator.__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"payorch", "payorch_server"}:
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel is unpacked."""
    built, unpacked = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built))
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603 - ours
    [wheel] = built.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def run_alone(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the wheel's package, and without the packages of this tree."""
    (folder / "conftest.py").write_text(ALONE)
    environment = {"PYTHONPATH": str(installed), "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:schemathesis",
        "-p",
        "no:asyncio",
        "-p",
        "no:cacheprovider",
        *arguments,
    )
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)  # noqa: S603 - ours


@pytest.mark.timeout(60)
class TestTheWheel:
    """A stranger gets all that the program needs."""

    def test_has_every_file_of_the_package(self, installed: Path) -> None:
        """Pages and scenarios are files without which nothing fails before they are used."""
        expected = {
            path.relative_to(PROJECT)
            for path in (PROJECT / "zuora_emulator").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

        assert {path for path in expected if not (installed / path).is_file()} == set()
        assert {path.suffix for path in expected} >= {".py", ".html", ".js", ".css", ".yaml"}

    def test_has_licence_and_readme(self, installed: Path) -> None:
        """The text for people begins with what it is not."""
        [about] = metadata.distributions(path=[str(installed)])

        assert (
            about.locate_file(f"{about.name.replace('-', '_')}-{about.version}.dist-info/licenses/LICENSE")
        ).is_file()
        text = str(about.metadata["Description"] or about.metadata.get_payload())
        assert text.startswith("# zuora-emulator\n\nThis is not Zuora.")
        assert "it is not Zuora" in about.metadata["Summary"]

    def test_has_a_readme_whose_links_need_no_file_beside_it(self, installed: Path) -> None:
        """A page of a package index has no files; places of the page itself stay."""
        [about] = metadata.distributions(path=[str(installed)])
        text = str(about.metadata["Description"] or about.metadata.get_payload())
        targets = re.findall(r"\]\(([^)]+)\)", text)

        assert [target for target in targets if not target.startswith(("https://", "http://", "#"))] == []
        assert "https://payorch.internal/source/docs/parity.md" in targets
        assert "https://payorch.internal/source/tests/emulator/SUPPORT.md" in targets
        titles = re.findall("^#+ (.+)", text, re.MULTILINE)
        places = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert {target[1:] for target in targets if target.startswith("#")} <= places

    def test_brings_the_fixtures_of_its_readme(self, installed: Path, tmp_path: Path) -> None:
        """They are found without being named."""
        example = README.split("## Use it with pytest")[1].split("```python\n")[1].split("```")[0]
        (tmp_path / "test_example.py").write_text(example)

        run = run_alone(installed, tmp_path, "-q")

        assert "1 passed" in run.stdout, run.stdout + run.stderr

    def test_gives_each_test_an_emulator_of_its_own(self, installed: Path, tmp_path: Path) -> None:
        """With the same ids, in process and over a socket, without a package of the service."""
        (tmp_path / "test_two.py").write_text(
            "import asyncio, httpx, pytest\n"
            "FORM = {'client_id': 'x', 'client_secret': 'y', 'grant_type': 'client_credentials'}\n"
            "seen = []\n"
            "@pytest.mark.parametrize('number', [1, 2])\n"
            "def test_one(number, zuora_emulator, zuora_emulator_url):\n"
            "    async def post():\n"
            "        transport = httpx.ASGITransport(zuora_emulator.app)\n"
            "        async with httpx.AsyncClient(transport=transport, base_url='http://zuora') as http:\n"
            "            return await http.post('/oauth/token', data=FORM)\n"
            "    asyncio.run(post())\n"
            "    httpx.post(f'{zuora_emulator_url}/oauth/token', data=FORM)\n"
            "    assert [entry.number for entry in zuora_emulator.journal.entries] == [1, 2]\n"
            "    seen.append([entry.request_id for entry in zuora_emulator.journal.entries])\n"
            "    assert seen[0] == seen[-1]\n"
            "def test_is_alone():\n"
            "    with pytest.raises(ModuleNotFoundError):\n"
            "        import payorch_server\n"
        )

        run = run_alone(installed, tmp_path, "-q", "-W", "error")

        assert "3 passed" in run.stdout, run.stdout + run.stderr

    def test_costs_nothing_where_no_test_asks_for_it(self, installed: Path, tmp_path: Path) -> None:
        """The plug-in is loaded by every run of pytest, and imports no emulator."""
        (tmp_path / "test_other.py").write_text(
            "import sys\n\ndef test_other():\n    assert 'zuora_emulator.app' not in sys.modules\n"
        )

        run = run_alone(installed, tmp_path, "-q")

        assert "1 passed" in run.stdout, run.stdout + run.stderr
