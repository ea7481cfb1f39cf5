"""Checks the licences of what is shipped against requirements/licences.toml.

python tools/licences.py            the locked Python packages and those of the TypeScript client
python tools/licences.py --clients  the packages of all clients, read by go, cargo and mvn; lists them in FILE
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from image.licence_policy import LicenceError, LicencePolicy, read_policy, stated_by
from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parent.parent
LIST: Final = ROOT / "build" / "clients" / "sbom.cdx.json"
SHIPPED: Final = ("runtime", "emulator")
"""The locks of the images."""
_CLIENTS: Final = ROOT / "clients"
_OURS: Final = ("payorch.internal", "internal.payorch", "payorch")
_DEPENDENCIES: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:list"
_JAR: Final = re.compile(
    r"^ +(?P<group>\S+?):(?P<name>\S+?):jar:(?:\S+?:)?(?P<version>[^:\s]+):(?:compile|runtime)", re.MULTILINE
)
_LICENCE_FILE: Final = re.compile(r"(?i)(?:licen[cs]e|copying)(?:[-.]\w+)?")

Stated = tuple[str, list[str]]
"""A package as a purl, and what it states of its licence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check; return 0, or 1 if a licence is unknown or not allowed."""
    parser = argparse.ArgumentParser(prog="python tools/licences.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", action="store_true", help=f"and write {LIST.relative_to(ROOT)}")
    clients = parser.parse_args(arguments).clients
    packages = {**dict(typescript()), **dict(python() if not clients else (*go(), *rust(), *java()))}
    problems, listed = judged(packages, read_policy())
    for problem in problems:
        print(problem, file=sys.stderr)
    if clients and not problems:
        LIST.parent.mkdir(parents=True, exist_ok=True)
        LIST.write_text(json.dumps(bom(listed), indent=1) + "\n", encoding="utf-8")
        print(
            f"{LIST.relative_to(ROOT)}: {len(listed)} packages that the clients in Go, TypeScript, Java and Rust need"
        )
    return 1 if problems else 0


def judged(packages: dict[str, list[str]], policy: LicencePolicy) -> tuple[list[str], dict[str, str]]:
    """Return what is wrong, and the SPDX expression of each other package by its purl."""
    problems, listed = [], {}
    for purl in sorted(packages):
        try:
            listed[purl] = policy.expression(purl, packages[purl])
        except LicenceError as error:
            problems.append(str(error))
    return problems, listed


def python(locks: Sequence[str] = SHIPPED) -> Iterator[Stated]:
    """Yield the locked Python packages that this interpreter installs; a build of the image looks at its own."""
    for lock in locks:
        text = re.sub(r"\s*\\\n\s+--hash=\S+", "", (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8"))
        for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate():
                yield f"pkg:pypi/{pin.name}@{str(pin.specifier).removeprefix('==')}", _stated_by_installed(pin.name)


def _stated_by_installed(name: str) -> list[str]:
    try:
        return stated_by(distribution(name))
    except PackageNotFoundError:
        sys.exit(f"{name} is locked and not installed, so its licence is unknown: run make setup.")


def typescript(package: Path = _CLIENTS / "typescript") -> Iterator[Stated]:
    """Yield what an application with the TypeScript client installs; the lock file names the licences."""
    locked = json.loads((package / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for path, entry in locked.items():
        if path and not entry.get("dev"):
            name = path.rpartition("node_modules/")[2].replace("@", "%40")
            yield f"pkg:npm/{name}@{entry['version']}", [entry.get("license", "")]


def go() -> Iterator[Stated]:
    """Yield the modules that the Go client's packages import; a module states its licence by the text in its folder."""
    row = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"
    for line in sorted(set(_output("go", "list", "-C", _CLIENTS / "go", "-deps", "-f", row, "./...").splitlines())):
        path, version, folder = line.split("\t")
        if not path.startswith(_OURS):
            files = sorted(file for file in Path(folder).iterdir() if _LICENCE_FILE.fullmatch(file.name))
            text = "\n".join(file.read_text(encoding="utf-8") for file in files)
            yield f"pkg:golang/{path}@{version}", [text]


def rust() -> Iterator[Stated]:
    """Yield the crates that the Rust client needs with all features, on every platform."""
    options = (
        "--all-features",
        "--target",
        "all",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}\t{l}",
    )
    tree = _output("cargo", "tree", "--quiet", "--manifest-path", _CLIENTS / "rust" / "Cargo.toml", *options)
    for line in sorted({line.removesuffix(" (*)") for line in tree.splitlines()}):
        package, _, licence = line.partition("\t")
        name, version = package.split(" ")[:2]
        if name not in _OURS:
            # Older manifests separate alternatives by a slash.
            yield f"pkg:cargo/{name}@{version.removeprefix('v')}", [licence.replace("/", " OR ")]


def java() -> Iterator[Stated]:
    """Yield the jars that the Java client and its double need; the POM or one above it names the licence."""
    output = ROOT / "build" / "clients" / "java-packages.txt"
    output.unlink(missing_ok=True)
    options = (f"-DoutputFile={output}", "-DappendOutput=true", "-DincludeScope=runtime")
    # Compiled, because only then Maven takes one module for another's dependency.
    _output(
        "mvn",
        "-B",
        "-q",
        "-Dstyle.color=never",
        "-f",
        _CLIENTS / "java" / "pom.xml",
        "compile",
        _DEPENDENCIES,
        *options,
    )
    for group, name, version in sorted(set(_JAR.findall(output.read_text(encoding="utf-8")))):
        if group not in _OURS:
            yield f"pkg:maven/{group}/{name}@{version}", [_stated_by_pom(group, name, version)]


def _stated_by_pom(group: str, name: str, version: str) -> str:
    repository = Path.home() / ".m2" / "repository"
    file = repository.joinpath(*group.split("."), name, version, f"{name}-{version}.pom")
    pom = ET.fromstring(re.sub(r"\sxmlns=\S+", "", file.read_text(encoding="utf-8"), count=1))  # noqa: S314 - of a package that is built with
    if names := [licence.findtext("name", "") for licence in pom.findall("licenses/license")]:
        return ", ".join(names)
    parent = pom.find("parent")
    if parent is None:
        return ""
    return _stated_by_pom(*(parent.findtext(part, "").strip() for part in ("groupId", "artifactId", "version")))


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout  # noqa: S603 - ours


def bom(expressions: dict[str, str]) -> dict[str, object]:
    """Return a list of components in CycloneDX, by the licences of packages."""
    components = [
        {
            "type": "library",
            "bom-ref": purl,
            "name": purl.partition("/")[2].rpartition("@")[0].replace("%40", "@"),
            "version": purl.rpartition("@")[2],
            "purl": purl,
            "licenses": [{"expression": expression}],
        }
        for purl, expression in expressions.items()
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


if __name__ == "__main__":
    sys.exit(main())
