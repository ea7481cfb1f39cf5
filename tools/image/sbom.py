"""Lists what an environment and the base below it hold: ENVIRONMENT/sbom.cdx.json, in CycloneDX.

A Python package whose licence is unknown or not allowed ends the build.

Run in a build of the image, by the interpreter of the build's own environment. Nothing in the list is random, so that
equal builds have equal lists.
"""

import json
import os
import platform
import subprocess
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions as installed_in
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from licence_policy import LicenceError, read_policy, stated_by
from packageurl import PackageURL
from packaging.utils import canonicalize_name

_ROW = "${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${db:Status-Abbrev}\\n"


def distributions(environment: Path, project: Path) -> dict[str, Any]:
    """List the Python packages; the project itself is what the list describes."""
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), "environment", "--output-reproducible"]
    options = ["--spec-version", "1.6", "--pyproject", str(project), str(environment / "bin" / "python")]
    listed = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE)  # noqa: S603 - arguments are ours
    bom: dict[str, Any] = json.loads(listed.stdout)
    return bom


def set_licences(components: Iterable[dict[str, Any]], environment: Path) -> None:
    """Give each component its licence as an SPDX expression; one that is not allowed ends the build."""
    policy = read_policy()
    paths = [str(path) for path in environment.glob("lib/python3*/site-packages")]
    stated = {canonicalize_name(package.name): stated_by(package) for package in installed_in(path=paths)}
    for component in components:
        statements = stated[canonicalize_name(component["name"])]
        try:
            expression = policy.expression(component.get("purl", component["name"]), statements)
        except LicenceError as error:
            sys.exit(str(error))
        component["licenses"] = [{"expression": expression, "acknowledgement": "declared"}]


def debian_packages() -> list[dict[str, Any]]:
    """List the packages of the base, named as scanners look them up."""
    command = ["/usr/bin/dpkg-query", "--show", "--showformat", _ROW]
    rows = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the command is ours
    system = platform.freedesktop_os_release()
    packages = []
    for row in rows.stdout.splitlines():
        name, version, architecture, source, status = row.split("\t")
        if not status.startswith("ii"):
            continue
        qualifiers = {"arch": architecture, "distro": f"{system['ID']}-{system['VERSION_ID']}", "upstream": source}
        purl = PackageURL("deb", system["ID"], name, version, qualifiers).to_string()
        packages.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return packages


def interpreter() -> dict[str, Any]:
    """Name the interpreter, which the base may have built from source."""
    version = platform.python_version()
    purl = PackageURL("generic", None, "python", version).to_string()
    cpe = f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*"
    return {"type": "platform", "bom-ref": purl, "name": "python", "version": version, "purl": purl, "cpe": cpe}


def main(arguments: Sequence[str]) -> None:
    """Write the list; one that its schema does not allow ends the build."""
    environment, project = map(Path, arguments)
    bom = distributions(environment, project)
    set_licences([*bom["components"], bom["metadata"]["component"]], environment)
    bom["components"] += [interpreter(), *debian_packages()]
    bom["components"].sort(key=lambda component: component["bom-ref"])
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)  # noqa: TID251 - the build's only setting
    bom["metadata"]["timestamp"] = moment.isoformat()
    bom["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bom, sort_keys=True)).urn
    text = json.dumps(bom, indent=1, sort_keys=True) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"The list of what the image holds is not CycloneDX 1.6: {problem}")
    (environment / "sbom.cdx.json").write_text(text, encoding="utf-8")
    print(f"{environment / 'sbom.cdx.json'}: {len(bom['components'])} components")


if __name__ == "__main__":
    main(sys.argv[1:])
