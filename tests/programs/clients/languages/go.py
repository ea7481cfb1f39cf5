"""The Go client: built, and required by a module of its own from a copy."""

import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import progress

NAME: Final = "go"
NEEDS: Final = ("go", "gofmt")
_ROOT: Final = Path(__file__).parents[4]
_PACKAGE: Final = _ROOT / "clients" / "go"
_SMOKE: Final = _ROOT / "tests" / "programs" / "clients" / "smoke" / "go"
_RUNNER: Final = _ROOT / "tests" / "programs" / "clients" / "conformance" / "runners" / "go"
"""With the newest grpc-go, whereas the package's own tests use the oldest."""
_BUILT: Final = _ROOT / "build" / "clients"
_PROGRAM: Final = _BUILT / "smoke-go"
_GATEWAY: Final = _BUILT / "gateway-go"
_MODULE: Final = "payorch.internal/client"


def build() -> None:
    """Check, build and test the package; build the smoke program and the runner of the conformance."""
    for folder in (_PACKAGE, _SMOKE, _RUNNER):
        # Its status tells since Go 1.26.
        subprocess.run(("gofmt", "-d", "."), cwd=folder, check=True)  # noqa: S607 - one of NEEDS
        _run("mod", "tidy", "-diff", folder=folder)
        _run("vet", "-p=1", "./...", folder=folder)
    _run("test", "-p=1", "./...", folder=_PACKAGE)
    _BUILT.mkdir(parents=True, exist_ok=True)
    _run("build", "-v", "-p=1", "-o", str(_PROGRAM), ".", folder=_SMOKE)
    _run("build", "-v", "-p=1", "-o", str(_BUILT / "runner-go"), ".", folder=_RUNNER)


def smoke() -> Sequence[str]:
    """Return the smoke program."""
    return (str(_PROGRAM),)


def gateway() -> Sequence[str]:
    """Build the example gateway; return its program."""
    _run("build", "-v", "-p=1", "-buildvcs=false", "-o", str(_GATEWAY), "./examples/gateway", folder=_PACKAGE)
    return (str(_GATEWAY),)


def install(project: Path, program: str) -> Sequence[str]:
    """Make a module of a program that requires a copy of the package, as its README says; return what runs it."""
    package, folder = project / "client", project / "program"
    shutil.copytree(_PACKAGE, package)
    folder.mkdir()
    (folder / "main.go").write_text(program, encoding="utf-8")
    _run("mod", "init", "quickstart", folder=folder)
    required, replaced = f"-require={_MODULE}@{_version()}", f"-replace={_MODULE}={package}"
    _run("mod", "edit", required, replaced, folder=folder)
    _run("mod", "tidy", folder=folder)
    _run("build", "-v", "-buildvcs=false", "-p=1", "-o", "quickstart", ".", folder=folder)
    return (str(folder / "quickstart"),)


def _version() -> str:
    """Return the version of all clients; a Go module has none in its files."""
    project = tomllib.loads((_ROOT / "clients" / "python" / "pyproject.toml").read_text(encoding="utf-8"))
    return f"v{project['project']['version']}"


def _run(*arguments: str, folder: Path) -> None:
    progress.run("go", *arguments, folder=folder)
