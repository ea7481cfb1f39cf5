"""How the servers of other languages are built, when they are first needed, and started."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from programs.bench.workload import ENTITY_ID, GATEWAY_ID, GATEWAY_LABEL

NODE, GO = "node", "go"
_HERE: Final = Path(__file__).parent
_BUILD: Final = Path("build/bench")
_BUILD_S: Final = 600.0
_NAMES: Final = json.dumps({"entity_id": ENTITY_ID, "gateway_id": GATEWAY_ID, "gateway_label": GATEWAY_LABEL})


class MissingToolError(Exception):
    """A peer cannot be built here, for a reason that a sentence can name."""


def node_command(upstream: str, collector: str) -> Sequence[str | Path]:
    """Install what the Node.js server needs, and return how it is started.

    Raises:
        MissingToolError: Node.js or npm is not there, or the packages cannot be installed.
    """
    node, npm = _tool("node", "Node.js 20 or newer"), _tool("npm", "npm")
    if not _installed(_HERE / NODE):
        _build([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], folder=_HERE / NODE)
    types = _BUILD / "descriptors.binpb"
    types.parent.mkdir(parents=True, exist_ok=True)
    types.write_bytes(_descriptors().SerializeToString())
    return [node, _HERE / NODE / "server.js", types, upstream, collector, _NAMES]


def go_command(upstream: str, collector: str, *, go: str) -> Sequence[str | Path]:
    """Build the Go server, and return how it is started.

    Args:
        upstream: Scheme, host and port of the stub.
        collector: URL of the collector.
        go: The go command; empty: the one on the PATH.

    Raises:
        MissingToolError: Go is not there, or the server cannot be built.
    """
    program = (_BUILD / "go-peer").absolute()
    _build([_tool(go or "go", "Go 1.26 or newer"), "build", "-buildvcs=false", "-o", program, "."], folder=_HERE / GO)
    return [program, upstream, collector, _NAMES]


def _installed(folder: Path) -> bool:
    """Return whether npm has installed what the folder's lock file lists."""
    done = folder / "node_modules" / ".package-lock.json"
    return done.exists() and done.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime


def _tool(name: str, described: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingToolError(f"{described} is needed, and {name} is not on the PATH")
    return found


def _build(command: Sequence[str | Path], *, folder: Path) -> None:
    try:
        built = subprocess.run(command, cwd=folder, timeout=_BUILD_S, check=False, capture_output=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"{command[1]} did not end within {_BUILD_S:.0f} s") from None
    if built.returncode:
        last = (built.stderr or built.stdout).decode(errors="replace").strip().splitlines()[-1:]
        raise MissingToolError(f"{Path(command[0]).name} {command[1]} failed: {''.join(last)}")


def _descriptors() -> FileDescriptorSet:
    """Return the service's file and all that it imports, each before those that import it."""
    found = FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for imported in file.dependencies:
                add(imported)
            file.CopyToProto(found.file.add())

    add(service_pb2.DESCRIPTOR)
    return found
