"""The Protobuf compiler of grpcio-tools, run on an image of compiled protos."""

import site
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_PROTOS: Final = ROOT / "protos"


def contract() -> Sequence[str]:
    """Return the names of our protos, as they import each other."""
    return sorted(str(path.relative_to(_PROTOS)) for path in _PROTOS.rglob("*.proto"))


def protoc(image: Path, *options: str, beside: Sequence[str] = ()) -> None:
    """Run plugins on the contract.

    Args:
        image: A FileDescriptorSet.
        options: Of protoc: which plugins, with what, and where to.
        beside: Protos of googleapis to generate code of as well.

    Raises:
        subprocess.CalledProcessError: Its own output says what is wrong.
    """
    # google/api, google/type and google/rpc come with googleapis-common-protos.
    sources = (f"--descriptor_set_in={image}", "-I", site.getsitepackages()[0])
    command = (sys.executable, "-m", "grpc_tools.protoc", *sources, *options, *contract(), *beside)
    subprocess.run(command, check=True)  # noqa: S603 - fixed commands
