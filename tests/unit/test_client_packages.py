"""What the packages of all languages have in common."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from payorch.version import VERSION

CLIENTS = Path("clients")
CHART = yaml.safe_load(Path("helm/payorch/Chart.yaml").read_text())
PUBLISHED = CLIENTS / "service_config.json"
BUILT = {"build", "dist", "node_modules", "target"}


def found(name: str, *folders: Path) -> list[Path]:
    """Return the files of a name below folders, but those that a build made."""
    return sorted(path for folder in folders for path in folder.glob(f"*/**/{name}") if not BUILT & set(path.parts))


@pytest.mark.parametrize("copy", found(PUBLISHED.name, CLIENTS), ids=lambda path: path.parts[1])
def test_each_carries_the_published_service_config(copy: Path) -> None:
    """A copy, because a package holds nothing from outside its folder."""
    assert PUBLISHED.read_bytes() == copy.read_bytes()


def test_versions_keep_step() -> None:
    """One contract, one version."""
    versions = {
        "go": re.findall('Version = "(.+)"', (CLIENTS / "go" / "doc.go").read_text())[0],
        "python": tomllib.loads((CLIENTS / "python" / "pyproject.toml").read_text())["project"]["version"],
        "typescript": json.loads((CLIENTS / "typescript" / "package.json").read_text())["version"],
        "its lock": json.loads((CLIENTS / "typescript" / "package-lock.json").read_text())["packages"][""]["version"],
        "java": re.findall("<version>(.+?)</version>", (CLIENTS / "java" / "pom.xml").read_text())[0],
        "rust": tomllib.loads((CLIENTS / "rust" / "Cargo.toml").read_text())["package"]["version"],
        "service": tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"],
        "emulator": tomllib.loads(Path("tests/emulator/pyproject.toml").read_text())["project"]["version"],
        "chart": CHART["version"],
        "what the chart installs": CHART["appVersion"],
    }

    assert dict.fromkeys(versions, versions["python"]) == versions


def test_the_service_requires_the_client_of_its_own_version() -> None:
    """By its exact version: any other package of that name is a stranger's."""
    service = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    client = tomllib.loads((CLIENTS / "python" / "pyproject.toml").read_text())["project"]["version"]

    assert [f"payorch=={client}"] == [name for name in service["dependencies"] if re.match(r"payorch\b", name)]
    assert client == service["version"] == VERSION


@pytest.mark.parametrize("lock", found("package-lock.json", CLIENTS, Path("tests/programs")), ids=str)
def test_lock_files_carry_no_address(lock: Path) -> None:
    """They say what is installed, not where from."""
    assert "://" not in "".join(
        package.get("resolved", "") for package in json.loads(lock.read_text())["packages"].values()
    )
