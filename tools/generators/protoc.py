"""The Protobuf compiler of grpcio-tools, run on an image of compiled protos."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2

ROOT: Final = Path(__file__).parents[2]


def protoc(image: Path, *options: str, beside: str = "") -> None:
    """Run plugins on the contract.

    Args:
        image: A FileDescriptorSet.
        options: Of protoc: which plugins, with what, and where to.
        beside: Prefix of further files in the image to generate code of.

    Raises:
        subprocess.CalledProcessError: Its own output says what is wrong.
    """
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    prefixes = ("payorch/", beside) if beside else ("payorch/",)
    names = sorted(file.name for file in files if file.name.startswith(prefixes))
    command = (sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={image}", *options, *names)
    subprocess.run(command, check=True)  # noqa: S603 - fixed commands
