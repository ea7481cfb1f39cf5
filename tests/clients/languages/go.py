"""The Go client: built, packed into a module proxy of files, installed from there."""

import json
import subprocess
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

NAME: Final = "go"
NEEDS: Final = ("go", "gofmt")
_ROOT: Final = Path(__file__).parents[3]
_PACKAGE: Final = _ROOT / "clients" / "go"
_SMOKE: Final = _ROOT / "tests" / "clients" / "smoke" / "go"
_PROGRAM: Final = _ROOT / "build" / "clients" / "smoke-go"
_MODULE: Final = "payorch.internal/client"


def build() -> None:
    """Check, build and test the package; build the smoke program."""
    for folder in (_PACKAGE, _SMOKE):
        # Its status tells since Go 1.26.
        subprocess.run(("gofmt", "-d", "."), cwd=folder, check=True)  # noqa: S607 - one of NEEDS
        _run("mod", "tidy", "-diff", folder=folder)
        _run("vet", "-p=1", "./...", folder=folder)
    _run("test", "-p=1", "./...", folder=_PACKAGE)
    _PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    _run("build", "-p=1", "-o", str(_PROGRAM), ".", folder=_SMOKE)


def smoke() -> Sequence[str]:
    """Return the smoke program."""
    return (str(_PROGRAM),)


def install(project: Path, program: str) -> Sequence[str]:
    """Make a module of a program that requires the package as a proxy hands it out; return what runs it."""
    version = _version()
    _publish(project / "proxy", version)
    folder = project / "program"
    folder.mkdir()
    (folder / "main.go").write_text(program, encoding="utf-8")
    _run("mod", "init", "quickstart", folder=folder)
    # What the cache has is not fetched again: its downloads have the form of a proxy.
    cache = Path(_output("go", "env", "GOMODCACHE", folder=folder)) / "cache" / "download"
    proxies = ((project / "proxy").as_uri(), cache.as_uri(), _output("go", "env", "GOPROXY", folder=folder))
    settings = {
        "GOPROXY": ",".join(proxies),
        "GONOSUMDB": _MODULE,
        # Not into the user's cache: each run packs the same version, perhaps with other content.
        "GOMODCACHE": str(project / "modules"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
    }
    _run("get", f"{_MODULE}@{version}", folder=folder, settings=settings)
    _run("mod", "tidy", folder=folder, settings=settings)
    _run("build", "-p=1", "-o", "quickstart", ".", folder=folder, settings=settings)
    return (str(folder / "quickstart"),)


def _publish(proxy: Path, version: str) -> None:
    """Lay the package out as the Go module proxy protocol names its files."""
    folder = proxy / _MODULE / "@v"
    folder.mkdir(parents=True)
    (folder / "list").write_text(f"{version}\n", encoding="utf-8")
    (folder / f"{version}.info").write_text(json.dumps({"Version": version}), encoding="utf-8")
    (folder / f"{version}.mod").write_bytes((_PACKAGE / "go.mod").read_bytes())
    with zipfile.ZipFile(folder / f"{version}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in _PACKAGE.rglob("*") if path.is_file()):
            packed.write(path, f"{_MODULE}@{version}/{path.relative_to(_PACKAGE)}")


def _version() -> str:
    """Return the version of all clients; a Go module has none in its files."""
    project = tomllib.loads((_ROOT / "clients" / "python" / "pyproject.toml").read_text(encoding="utf-8"))
    return f"v{project['project']['version']}"


def _run(*arguments: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
    above = [f"{name}={value}" for name, value in (settings or {}).items()]
    subprocess.run(["env", *above, "go", *arguments], cwd=folder, check=True)  # noqa: S607 - those of NEEDS


def _output(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
