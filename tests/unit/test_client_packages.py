"""What the packages of all languages have in common."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from payorch.version import VERSION

CLIENTS = Path("clients")
PUBLISHED = CLIENTS / "service_config.json"
BUILT = {"build", "dist", "node_modules", "target"}


def found(name: str, *folders: Path) -> list[Path]:
    """Return the files of a name below folders, but those that a build made."""
    return sorted(path for folder in folders for path in folder.glob(f"*/**/{name}") if not BUILT & set(path.parts))


@pytest.mark.parametrize("copy", found(PUBLISHED.name, CLIENTS), ids=lambda path: path.parts[1])
def test_each_carries_the_published_service_config(copy: Path) -> None:
    """A copy, because a package holds nothing from outside its folder."""
    assert PUBLISHED.read_bytes() == copy.read_bytes()


MANIFESTS = {
    "*pyproject.toml": r'^version = "(.+)"|"payorch(?:-[a-z-]+)?==(.+?)"',
    "clients/rust/Cargo.toml": r'\[package\]\nname = ".+"\nversion = "(.+)"',
    "clients/typescript/package.json": r'"version": "(.+)"',
    "clients/typescript/package-lock.json": r'"name": "@payorch/client",\n +"version": "(.+)"',
    "*pom.xml": r"<artifactId>payorch(?:-[a-z]+)?</artifactId>\n +<version>(\d.*\..+)</version>",
    "*go.mod": r"payorch\.internal/client v(.+)",
    "helm/payorch/Chart.yaml": r'(?m)^(?:appV|v)ersion: "?([0-9.]+)"?',
}
"""How the manifests of packages name our own version, also where they require each other."""
CONSTANTS = {
    "clients/go/doc.go": r'const Version = "(.+)"',
    "clients/java/client/src/main/java/internal/payorch/Payorch.java": r'VERSION = String\.valueOf\("(.+)"\)',
    "clients/python/src/payorch/version.py": r'VERSION: Final = "(.+)"',
    "clients/typescript/src/version.ts": r'VERSION = "(.+)"',
}
"""What user agents, the metric of the build and `--version` are made from."""
TEXTS = {
    "*README.md": r"payorch[a-z./-]*[-@/=:]v?(\d+\.\d+\.\d+)|--version (\d+\.\d+\.\d+)"
    r"|payorch[a-z-]*</artifactId>\n +<version>(.+)</version>|alias: pay, version: ([0-9.]+)",
    "docs/*.md": r"(?<![0-9])payorch[a-z-]*[-@:]v?(\d+\.\d+\.\d+)",
}
UNPUBLISHED = {"tests/programs/bench/peers/go/go.mod"}
"""Programs that build the client from its folder, whatever its version."""


def versions_in(pattern: str, expression: str) -> dict[str, set[str]]:
    """Return the versions that an expression finds in the files of a pattern, by file."""
    listed = subprocess.run(["git", "ls-files", pattern], capture_output=True, text=True, check=True)  # noqa: S603, S607
    return {
        name: {
            version
            for match in re.finditer(expression, Path(name).read_text(), re.MULTILINE)
            for version in match.groups()
            if version
        }
        for name in listed.stdout.split()
        if name not in UNPUBLISHED
    }


@pytest.mark.parametrize("pattern", [*MANIFESTS, *CONSTANTS])
def test_every_package_has_one_version(pattern: str) -> None:
    """Service, chart, clients and emulator are released together."""
    named = versions_in(pattern, (MANIFESTS | CONSTANTS)[pattern])

    assert any(named.values())
    assert {name: versions for name, versions in named.items() if versions - {VERSION}} == {}


@pytest.mark.parametrize("pattern", TEXTS)
def test_texts_name_that_version(pattern: str) -> None:
    """Their commands are copied."""
    named = versions_in(pattern, TEXTS[pattern])

    assert any(named.values())
    assert {name: versions for name, versions in named.items() if versions - {VERSION}} == {}


@pytest.mark.parametrize("changelog", [Path("CHANGELOG.md"), *found("CHANGELOG.md", CLIENTS)], ids=str)
def test_changelogs_have_that_version_below_what_is_unreleased(changelog: Path) -> None:
    """With the date of its tag."""
    headings = re.findall("^## (.+)", changelog.read_text(), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_service_requires_the_client_of_its_own_version() -> None:
    """By its exact version: any other package of that name is a stranger's."""
    service = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    client = tomllib.loads((CLIENTS / "python" / "pyproject.toml").read_text())["project"]["version"]

    assert [f"payorch=={client}"] == [name for name in service["dependencies"] if re.match(r"payorch\b", name)]
    assert client == service["version"] == VERSION


@pytest.mark.parametrize("project", [Path(), CLIENTS / "python", Path("tests/emulator")], ids=str)
def test_each_wheel_carries_the_licence(project: Path) -> None:
    """A copy of it, because a package holds nothing from outside its folder."""
    (name,) = tomllib.loads((project / "pyproject.toml").read_text())["project"]["license-files"]

    assert (project / name).read_text() == Path("LICENSE").read_text()


@pytest.mark.parametrize("lock", found("package-lock.json", CLIENTS, Path("tests/programs")), ids=str)
def test_lock_files_carry_no_address(lock: Path) -> None:
    """They say what is installed, not where from."""
    assert "://" not in "".join(
        package.get("resolved", "") for package in json.loads(lock.read_text())["packages"].values()
    )
