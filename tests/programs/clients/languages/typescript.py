"""The TypeScript client: compiled, packed by npm, installed from the packed file."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import progress

NAME: Final = "typescript"
NEEDS: Final = ("node", "npm")
_ROOT: Final = Path(__file__).parents[4]
_PACKAGE: Final = _ROOT / "clients" / "typescript"
_SMOKE: Final = _ROOT / "tests" / "programs" / "clients" / "smoke" / "typescript"
_RUNNER: Final = _ROOT / "tests" / "programs" / "clients" / "conformance" / "runners" / "typescript"
_QUIET: Final = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=http")
_COMPILE: Final = ("node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node")


def build() -> None:
    """Compile and test the package; compile the smoke program and the runner of the conformance cases."""
    for folder in (_PACKAGE, _SMOKE, _RUNNER):
        _run("npm", "ci", *_QUIET, folder=folder)
        _run("npm", "run", "build", folder=folder)
    _run("npm", "test", folder=_PACKAGE)
    _test_with_oldest_dependencies()


def smoke() -> Sequence[str]:
    """Return the smoke program."""
    return ("node", str(_SMOKE / "dist" / "main.js"))


def gateway() -> Sequence[str]:
    """Compile the example gateway; return its program."""
    _run("node_modules/.bin/tsc", "--project", "examples/gateway", folder=_PACKAGE)
    return ("node", str(_PACKAGE / "examples" / "gateway" / "dist" / "gateway.js"))


def install(project: Path, program: str) -> Sequence[str]:
    """Make a package of a program that has the packed client alone; return what runs it. `build` comes first."""
    # With its script: it compiles what is packed.
    _run("npm", "pack", "--pack-destination", str(project), "--loglevel=error", folder=_PACKAGE)
    manifest = json.loads((_PACKAGE / "package.json").read_text(encoding="utf-8"))
    packed = f"{manifest['name'].removeprefix('@').replace('/', '-')}-{manifest['version']}.tgz"
    tools = [f"{name}@{manifest['devDependencies'][name]}" for name in ("typescript", "@types/node")]
    (project / "package.json").write_text('{"private": true, "type": "module"}\n', encoding="utf-8")
    # Checked as TypeScript, and then run as it stands: it is JavaScript too.
    for name in ("quickstart.mts", "quickstart.mjs"):
        (project / name).write_text(program, encoding="utf-8")
    _run("npm", "install", *_QUIET, f"./{packed}", *tools, folder=project)
    _run(*_COMPILE, "--noEmit", "quickstart.mts", folder=project)
    return ("node", str(project / "quickstart.mjs"))


def _test_with_oldest_dependencies() -> None:
    """Test a copy of the package with the oldest version of each dependency that it allows."""
    manifest = json.loads((_PACKAGE / "package.json").read_text(encoding="utf-8"))
    oldest = [f"{name}@{allowed.removeprefix('^')}" for name, allowed in manifest["dependencies"].items()]
    with tempfile.TemporaryDirectory(prefix="payorch-typescript-") as folder:
        copy = Path(folder, _PACKAGE.name)
        shutil.copytree(_PACKAGE, copy, symlinks=True)
        shutil.copy(_PACKAGE.parent / "reasons.json", folder)  # which a test compares
        _run("npm", "install", "--no-save", *_QUIET, *oldest, folder=copy)
        _run("node", "--test", folder=copy)


def _run(*command: str, folder: Path) -> None:
    progress.run(*command, folder=folder)
