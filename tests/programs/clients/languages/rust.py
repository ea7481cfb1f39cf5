"""The Rust client: cargo builds, lints, tests and packs it."""

import tarfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import progress

NAME: Final = "rust"
NEEDS: Final = ("cargo",)
_ROOT: Final = Path(__file__).resolve().parents[4]
_PACKAGE: Final = _ROOT / "clients" / "rust"
_SMOKE: Final = _ROOT / "tests" / "programs" / "clients" / "smoke" / "rust"
_RUNNER: Final = _ROOT / "tests" / "programs" / "clients" / "conformance" / "runners" / "rust"
_TARGET: Final = _ROOT / "build" / "clients" / "rust"
"""One for all, so that what they share is built once."""
_PROJECT: Final = """\
[package]
name = "quick-start"
version = "0.0.0"
edition = "2024"

[dependencies]
payorch = {{ path = "{package}" }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[workspace]
"""


def build() -> None:
    """Lint, test and build the package without a warning; the smoke program; the runner of the conformance cases."""
    _cargo("clippy", _PACKAGE, "--all-targets", "--", "--deny", "warnings")
    _cargo("clippy", _PACKAGE, "--all-targets", "--all-features", "--", "--deny", "warnings")
    _cargo("rustdoc", _PACKAGE, "--all-features", "--", "--deny", "warnings")
    _cargo("test", _PACKAGE, "--all-features")
    for program in (_SMOKE, _RUNNER):
        _cargo("clippy", program, "--", "--deny", "warnings")
        _cargo("build", program)


def smoke() -> Sequence[str]:
    """Return the command of the smoke program."""
    return (str(_TARGET / "debug" / "payorch-smoke"),)


def install(project: Path, program: str) -> Sequence[str]:
    """Make a project that depends on the unpacked crate; return how to run its program.

    Args:
        project: An empty folder.
        program: A Rust program of one file.
    """
    # Its code was compiled before, and is compiled again within the project.
    _cargo("package", _PACKAGE, "--no-verify", "--allow-dirty")
    version = tomllib.loads((_PACKAGE / "Cargo.toml").read_text())["package"]["version"]
    with tarfile.open(_TARGET / "package" / f"payorch-{version}.crate") as crate:
        crate.extractall(project, filter="data")
    (project / "Cargo.toml").write_text(_PROJECT.format(package=f"payorch-{version}"))
    (project / "src").mkdir()
    (project / "src" / "main.rs").write_text(program)
    _cargo("build", project)
    return (str(_TARGET / "debug" / "quick-start"),)


def _cargo(command: str, crate: Path, *arguments: str) -> None:
    progress.run("cargo", command, "--manifest-path", crate / "Cargo.toml", "--target-dir", _TARGET, *arguments)
