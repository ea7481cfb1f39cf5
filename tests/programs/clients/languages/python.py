"""Python: a wheel, installed with pip into an environment of its own."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import progress

NAME: Final = "python"
NEEDS: Final = ("node",)
_PACKAGE: Final = Path("clients/python")
_TESTS: Final = Path("tests/programs/clients/smoke/python")
_SMOKE: Final = _TESTS / "smoke.py"
_CHECKED: Final = (str(_SMOKE), str(_TESTS / "typed.py"))
_PYRIGHT: Final = Path("tests/programs/clients/node/node_modules/.bin/pyright")
_PIP: Final = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
_UV_PIP: Final = (str(Path(sys.executable).with_name("uv")), "pip", "install", "--only-binary=:all:")
VERSIONS: Final[Mapping[str, Sequence[str]]] = {
    "python-oldest": ("--resolution=lowest",),
    "python-middle": ("protobuf<7", "grpcio<1.80"),
}
"""Environments below `build/clients` with other versions of gRPC and protobuf than the locked ones.

The oldest are those that the package itself names.
"""
_UNIT_TESTS: Final = tuple(
    f"tests/unit/payorch/test_{name}.py"
    for name in ("any_attempts", "documentation", "errors", "redaction", "resend", "target", "values")
)
"""Tests of the client that need nothing but it and pytest."""


def build() -> None:
    """Check the package and the programs as a user's own checkers would, and try the versions that it allows."""
    mypy = str(Path(sys.executable).with_name("mypy"))
    config = ("--config-file", str(_TESTS / "mypy.ini"), "--cache-dir", "build/clients/mypy")
    progress.run(mypy, *config, *_CHECKED)
    progress.run(str(_PYRIGHT), "--warnings", "--pythonpath", sys.executable, *_CHECKED)
    with tempfile.TemporaryDirectory(prefix="payorch-wheel-") as folder:
        wheel = _wheel(Path(folder))
        for name, chosen in VERSIONS.items():
            _prepare(Path("build/clients", name), wheel, chosen)


def _prepare(environment: Path, wheel: Path, chosen: Sequence[str]) -> None:
    """Install the wheel with chosen versions of what it needs, and run its unit tests there without any warning."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", environment], check=True)
    python = str(environment / "bin" / "python")
    progress.run(*_UV_PIP, "--python", python, f"{wheel}[tracing]", *chosen)
    progress.run(*_UV_PIP, "--python", python, "pytest", "hypothesis")
    alone = ("-c", os.devnull, "--rootdir=tests/unit/payorch", "--noconftest", "-p", "no:cacheprovider")
    progress.run(python, "-W", "error", "-m", "pytest", "-q", *alone, *_UNIT_TESTS)


def smoke() -> Sequence[str]:
    """Return the command of the smoke program."""
    return [sys.executable, str(_SMOKE)]


def gateway() -> Sequence[str]:
    """Return the command of the example gateway."""
    return [sys.executable, str(_PACKAGE / "examples" / "gateway" / "gateway.py")]


def install(project: Path, program: str) -> Sequence[str]:
    """Install the wheel, without its dependencies' sources, into an empty environment."""
    environment = project / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [
            *_PIP,
            "--python",
            python,
            "install",
            "--only-binary=:all:",
            "-c",
            _constraints(project),
            _wheel(project / "dist"),
        ],
        check=True,
    )
    (project / "quick_start.py").write_text(program)
    return [str(python), str(project / "quick_start.py")]


def _wheel(folder: Path) -> Path:
    """Build the package into a folder; return its wheel."""
    subprocess.run([*_PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, _PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def _constraints(project: Path) -> Path:
    """Write the locked versions, without hashes, which pip would want of our own wheel too."""
    locked = re.findall(r"^[\w.-]+==[^ ;\\]+", Path("requirements/dev.txt").read_text(), re.MULTILINE)
    file = project / "constraints.txt"
    file.write_text("\n".join(locked))
    return file
