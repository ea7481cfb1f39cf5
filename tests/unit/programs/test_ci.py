"""What .ci/run does with its stages, by a make that only notes what it is asked for."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / ".ci" / "run"
MAKE = """\
#!/bin/bash
[ "$1" = --silent ] && shift
echo "$*" >>made
echo "output of $*"
case "$*" in
  $FAILING) echo 'what went wrong'; exit 3 ;;
  $ENDLESS) exec 9>alive; mkfifo never; read <never ;;
  *FAULT=decryption* | *FAULT=token* | *FAULT=sessions*) exit 2 ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the script, and with fakes of make and of what Debian would have to install."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci")
    fakes = tmp_path / "bin"
    fakes.mkdir()
    for name in ("make", "promtool", "chromium", "buildah", "mmdebstrap"):
        (fakes / name).write_text(MAKE)
        (fakes / name).chmod(0o700)
    return tmp_path


def run(tree: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script; `FAILING` and `ENDLESS` are patterns of what is made."""
    path = f"{tree / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
    environment = {"PATH": path, "FAILING": "-", "ENDLESS": "-"} | variables
    return subprocess.run(["bash", ".ci/run"], cwd=tree, env=environment, capture_output=True, text=True, check=False)  # noqa: S607 - ours


def made(tree: Path) -> list[str]:
    """Return what was made, in the order of the beginnings."""
    return (tree / "made").read_text().splitlines()


class TestStages:
    """Every stage, in lanes or alone."""

    def test_end_with_the_tests(self, tree: Path) -> None:
        """The last line is that of make test, and everything that the script names was made."""
        done = run(tree)

        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == "output of test"
        named = re.findall(r"^ *(?:stage|make) ([a-z][a-z-]*)", SCRIPT.read_text(), re.MULTILINE)
        assert {line.split()[0] for line in made(tree)} == set(named)

    def test_that_measure_run_after_the_lanes(self, tree: Path) -> None:
        """Nothing runs beside them."""
        run(tree)

        targets = [line.split()[0] for line in made(tree)]
        assert targets[:2] == ["check", "docs"]
        assert set(targets[targets.index("bench") :]) == {"bench", "soak", "rolling", "hostile", "chaos", "test"}


class TestFailure:
    """A stage that fails."""

    def test_alone_is_named_with_its_status(self, tree: Path) -> None:
        """In the last line, and nothing follows it."""
        done = run(tree, FAILING="docs*")

        assert (done.returncode, made(tree)) == (3, ["check", "docs"])
        assert done.stderr.splitlines()[-1] == "make docs failed with status 3."

    @pytest.mark.timeout(60)
    def test_in_a_lane_ends_the_others_and_is_shown_whole(self, tree: Path) -> None:
        """Another lane waits for ever; as long as it lives, reading what it holds open does not end."""
        os.mkfifo(tree / "alive")
        alive = os.open(tree / "alive", os.O_RDONLY | os.O_NONBLOCK)

        done = run(tree, FAILING="chart", ENDLESS="clients")

        assert done.returncode == 3
        assert done.stdout.splitlines()[-3:] == [
            "output of chart",
            "what went wrong",
            "make chart failed with status 3.",
        ]
        os.set_blocking(alive, True)
        assert os.read(alive, 1) == b""
        os.close(alive)
        assert "bench" not in {line.split()[0] for line in made(tree)}

    def test_that_has_to_fail_and_does_not_is_one(self, tree: Path) -> None:
        """A demonstration of an error that shows none proves nothing."""
        make = tree / "bin" / "make"
        make.write_text(MAKE.replace("*FAULT=token* | ", ""))

        done = run(tree)

        assert done.returncode == 1
        assert done.stdout.splitlines()[-1] == "make demo FAULT=token:401 succeeded, so it cannot fail."
