"""Python: a wheel, installed with pip into an environment of its own."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

NAME: Final = "python"
NEEDS: Final = ("node",)
_PACKAGE: Final = Path("clients/python")
_SMOKE: Final = Path("tests/programs/clients/smoke/python/smoke.py")
_PYRIGHT: Final = Path("tests/programs/clients/node/node_modules/.bin/pyright")


def build() -> None:
    """Check the package and the programs as a user's own checkers would."""
    mypy = str(Path(sys.executable).with_name("mypy"))
    subprocess.run([mypy, "--strict", str(_SMOKE)], check=True, stdout=subprocess.DEVNULL)
    pyright = [str(_PYRIGHT), "--warnings", "--pythonpath", sys.executable, str(_SMOKE)]
    subprocess.run(pyright, check=True, stdout=subprocess.DEVNULL)


def smoke() -> Sequence[str]:
    """Return the command of the smoke program."""
    return [sys.executable, str(_SMOKE)]


def gateway() -> Sequence[str]:
    """Return the command of the example gateway."""
    return [sys.executable, str(_PACKAGE / "examples" / "gateway" / "gateway.py")]


def install(project: Path, program: str) -> Sequence[str]:
    """Install the wheel, without its dependencies' sources, into an empty environment."""
    wheels, environment = project / "dist", project / "venv"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, _PACKAGE], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [
            *pip,
            "--python",
            python,
            "install",
            "--only-binary=:all:",
            "-c",
            _constraints(project),
            *wheels.glob("*.whl"),
        ],
        check=True,
    )
    (project / "quick_start.py").write_text(program)
    return [str(python), str(project / "quick_start.py")]


def _constraints(project: Path) -> Path:
    """Write the locked versions, without hashes, which pip would want of our own wheel too."""
    locked = re.findall(r"^[\w.-]+==[^ ;\\]+", Path("requirements/dev.txt").read_text(), re.MULTILINE)
    file = project / "constraints.txt"
    file.write_text("\n".join(locked))
    return file
