"""Looks at the images: what they hold, that two builds are equal, and that they work.

Run by build_with_buildah.sh as root, with the names of both builds of the service, of the emulator and of the base.
"""

import asyncio
import csv
import json
import os
import re
import sys
import tempfile
import tomllib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from email import message_from_string
from pathlib import Path
from stat import S_ISDIR, S_ISLNK
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from programs.image.containers import Entry, buildah, entries, mounted
from programs.image.running import EMULATOR, SERVER, look_at_call, look_at_commands, look_at_emulator

LARGEST_ADDED_BYTES = 122_000_000
"""Native code is two thirds: grpc, cryptography, uvloop, protovalidate. The rest is Python, once as source and once as
byte code. More than a few new modules, such as one more library, has to be noticed."""
LOOSE = 0o7022
"""Written by others than root, or run as somebody else."""
SHOWN_DIFFERENCES = 20
PACKAGES = "lib/python3.11/site-packages"
UNRECORDED = {"pyvenv.cfg", "sbom.cdx.json", "lib64", "bin/python", "bin/python3", "bin/python3.11"}
"""What is in an environment and came with no package."""


def look_at_settings(image: str, *, command: str, arguments: list[str], ports: set[str]) -> None:
    """The image starts its program as a numeric user that is not root, and says what it is."""
    config = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]["config"]
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}

    found = (config["User"], config["Entrypoint"], config.get("Cmd") or [])
    assert found == ("10001:10001", [command], arguments), f"{image} starts otherwise: {found}"
    assert {port.partition("/")[0] for port in config["ExposedPorts"]} == ports, config["ExposedPorts"]
    assert labels["title"] in image, labels
    assert labels["description"], labels
    assert (labels["licenses"], labels["version"]) == ("Apache-2.0", image.rpartition(":")[2]), labels
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", labels["revision"]), labels
    assert labels["name"].startswith("localhost/"), f"the base's name: {labels}"


def locked(name: str, python: str) -> dict[str, str]:
    """Read a lock file: what of it is installed on that version of Python."""
    text = re.sub(r"\s*\\\n\s+--hash=\S+", "", Path(f"requirements/{name}.txt").read_text())
    pins = [Requirement(line) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    environment: Any = default_environment() | {"python_full_version": python}
    wanted = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in wanted}


def look_at_environment(environment: Path, lock: str, ours: dict[str, str]) -> None:
    """It holds what is locked and our packages, with byte code; the list that lies beside says the same."""
    packages = environment / PACKAGES
    found = [path.name.removesuffix(".dist-info").rpartition("-") for path in packages.glob("*.dist-info")]
    installed = {str(canonicalize_name(name)): version for name, _, version in found}
    settings = dict(line.split(" = ", 1) for line in (environment / "pyvenv.cfg").read_text().splitlines())
    bom = json.loads((environment / "sbom.cdx.json").read_text())
    listed = [*bom["components"], bom["metadata"]["component"]]

    named = {canonicalize_name(one["name"]): one["version"] for one in listed if not is_debian(one)}
    wanted = locked(lock, settings["version"]) | ours

    assert installed == wanted, f"not as locked: {installed.items() ^ wanted.items()}"
    assert named == installed | {"python": settings["version"]}, f"not as listed: {named.items() ^ installed.items()}"
    look_at_records(packages, environment)


def look_at_records(packages: Path, environment: Path) -> None:
    """Each file came with a package, as the package has it, or is the byte code of one that did."""
    recorded = {
        os.path.normpath(packages.relative_to(environment) / path): digest.removeprefix("sha256=")
        for record in packages.glob("*.dist-info/RECORD")
        for path, digest, _ in csv.reader(record.read_text().splitlines())
    }
    files = {path: entry for path, entry in entries(environment).items() if not S_ISDIR(entry.mode)}
    sources = {path for path in files if path.endswith(".py")}
    code = {
        f"{head}/__pycache__/{tail.removesuffix('.py')}.cpython-311.pyc" for head, tail in map(os.path.split, sources)
    }
    spoiled = [
        path
        for path, digest in recorded.items()
        if digest and urlsafe_b64encode(bytes.fromhex(files[path].content)).decode().rstrip("=") != digest
    ]
    unexplained = sorted(files.keys() ^ (recorded.keys() | code | UNRECORDED))

    assert not unexplained, f"too many or missing: {unexplained}"
    assert not spoiled, f"not what the package had: {spoiled}"
    startling = [path for path in files if path.endswith((".pth", "/direct_url.json"))]
    assert not startling, f"runs at the start of Python, or names a path of the build: {startling}"


def is_debian(component: dict[str, Any]) -> bool:
    """Tell the base's packages from ours."""
    return str(component.get("purl", "")).startswith("pkg:deb/")


def look_at_debian_packages(root: Path, sbom: Path) -> None:
    """The list names each package of the base."""
    paragraphs = map(message_from_string, (root / "var/lib/dpkg/status").read_text().strip().split("\n\n"))
    components = json.loads(sbom.read_text())["components"]
    listed = {(one["name"], one["version"]) for one in components if is_debian(one)}
    installed = {(one["Package"], one["Version"]) for one in paragraphs if one["Status"].endswith(" installed")}

    assert listed == installed, f"the base's packages are not as listed: {listed ^ installed}"


def look_at_added(files: dict[str, Entry], base: dict[str, Entry], folder: str) -> int:
    """Beyond its base an image holds one folder, which nobody but root may change; return its bytes."""
    changed = {path for path, entry in files.items() if entry != base.get(path)} | base.keys() - files.keys()
    below = {path for path in changed if path.startswith(f"{folder}/") or path == folder}
    # The folder's own parent has the build's time.
    outside = sorted(changed - below - {"opt"})
    owned = [path for path in below if (files[path].owner, files[path].group) != (0, 0)]
    loose = [path for path in below if files[path].mode & LOOSE and not S_ISLNK(files[path].mode)]

    assert not outside, f"not of the base and not in {folder}: {outside}"
    assert not owned, f"not root's: {owned}"
    assert not loose, f"others may write or become somebody: {loose}"
    return sum(files[path].size_bytes for path in below)


def look_at_differences(one: dict[str, Entry], other: dict[str, Entry], images: tuple[str, str]) -> None:
    """Two builds have the same files with the same bytes, modes, owners and times, and so the same digest."""
    different = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    for path in different[:SHOWN_DIFFERENCES]:
        print(f"{path}: {one.get(path)} and {other.get(path)}", file=sys.stderr)

    assert different == [], f"{len(different)} files differ between two builds"
    first, second = (buildah("images", "--quiet", "--no-trunc", image) for image in images)
    assert first == second, "all files are equal, settings or layers are not"
    print(f"Two builds are equal: {first}")


def look_inside(service: str, again: str, emulator: str, base: str) -> None:
    """Look at the files of all, then run them."""
    with (
        mounted(service) as root,
        mounted(again) as again_root,
        mounted(emulator) as emulator_root,
        mounted(base) as base_root,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        folder.chmod(0o755)  # another user reads it
        files, base_files = entries(root), entries(base_root)
        look_at_differences(files, entries(again_root), (service, again))
        added_bytes = look_at_added(files, base_files, "opt/payorch")
        print(f"Bytes over the base: {added_bytes:,} of at most {LARGEST_ADDED_BYTES:,}")
        assert added_bytes <= LARGEST_ADDED_BYTES, "the image has become too large"
        emulator_bytes = look_at_added(entries(emulator_root), base_files, "opt/zuora-emulator")
        print(f"Bytes of the emulator over the base: {emulator_bytes:,}")

        version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
        look_at_environment(root / "opt/payorch", "runtime", {"payorch": version, "payorch-server": version})
        look_at_environment(emulator_root / "opt/zuora-emulator", "emulator", {"payorch-zuora-emulator": version})
        look_at_debian_packages(root, root / "opt/payorch/sbom.cdx.json")
        Path("build/image/sbom.cdx.json").write_bytes((root / "opt/payorch/sbom.cdx.json").read_bytes())
        asyncio.run(look_at_commands(root, folder))
        asyncio.run(look_at_emulator(emulator_root, folder))
        asyncio.run(look_at_call(root, emulator_root, folder))


def main(arguments: Sequence[str]) -> None:
    """Look at everything; the first thing that is wrong ends it."""
    service, again, emulator, base = arguments
    try:
        look_at_settings(service, command=SERVER, arguments=[], ports={"50051", "9464"})
        look_at_settings(emulator, command=EMULATOR, arguments=["serve", "--host", "0.0.0.0"], ports={"9080"})  # noqa: S104 - in a container
        look_inside(service, again, emulator, base)
    except AssertionError as error:
        sys.exit(f"The images are not good: {error}")
    print("The images are good; build/image/sbom.cdx.json lists what the service's holds.")


if __name__ == "__main__":
    main(sys.argv[1:])
