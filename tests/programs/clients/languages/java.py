"""The Java client and its test double: Maven builds, tests and installs them."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import progress

NAME: Final = "java"
NEEDS: Final = ("java", "mvn")
_ROOT: Final = Path(__file__).resolve().parents[4]
_PACKAGE: Final = _ROOT / "clients" / "java"
_SMOKE: Final = _ROOT / "tests" / "programs" / "clients" / "smoke" / "java"
_RUNNER: Final = _SMOKE.parents[1] / "conformance" / "runners" / "java"
_CACHE: Final = Path.home() / ".m2" / "repository"
_PLUGINS: Final = "org.apache.maven.plugins"
_COPY: Final = f"{_PLUGINS}:maven-dependency-plugin:3.11.0:copy-dependencies"
_PROJECT: Final = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>quick-start</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>internal.payorch</groupId>
      <artifactId>payorch-client</artifactId>
      <version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""


def build() -> None:
    """Build and test the packages with their doc comments checked; build the programs that use them."""
    for program in (_SMOKE / "program", _RUNNER, _RUNNER / "oldest"):
        # Libraries of other versions, from a build before.
        shutil.rmtree(program / "target" / "lib", ignore_errors=True)
    _maven("-f", str(_SMOKE / "pom.xml"), "package")


def smoke() -> Sequence[str]:
    """Return the command of the smoke program."""
    target = _SMOKE / "program" / "target"
    return ("java", "-cp", f"{target / 'classes'}:{target / 'lib'}/*", "smoke.Smoke")


def install(project: Path, program: str) -> Sequence[str]:
    """Make a project that takes the package from a local repository of its own; return how to run its program.

    Args:
        project: An empty folder.
        program: A Java program of one class.
    """
    own = project / "repository"
    if _CACHE.exists():
        # What was fetched before is not fetched again; the package itself is always this one.
        shutil.copytree(_CACHE, own, ignore=shutil.ignore_patterns("payorch"))
    _maven(
        f"-Dmaven.repo.local={own}", "-f", str(_PACKAGE / "pom.xml"), "-DskipTests", "-Dmaven.javadoc.skip", "install"
    )
    (project / "pom.xml").write_text(_PROJECT.format(version=_version()))
    _maven(f"-Dmaven.repo.local={own}", "-f", str(project / "pom.xml"), _COPY, f"-DoutputDirectory={project / 'lib'}")
    name = "".join(re.findall(r"public (?:final )?class (\w+)", program))
    source = project / f"{name}.java"
    source.write_text(program)
    subprocess.run(["javac", "-cp", f"{project / 'lib'}/*", "-d", project, source], check=True)  # noqa: S607 - fixed
    return ("java", "-cp", f"{project}:{project / 'lib'}/*", name)


def _version() -> str:
    """Return the version in the package's pom; its own comes first in the file."""
    return (_PACKAGE / "pom.xml").read_text().partition("<version>")[2].partition("</version>")[0]


def _maven(*arguments: str) -> None:
    progress.run("mvn", "-B", *arguments)
