"""The Go client's messages and stubs."""

import subprocess
from pathlib import Path
from typing import Final

from generators.protoc import ROOT, contract, protoc

TREE: Final = Path("clients/go/payorch/v1")
"""Everything in it is generated."""
NEEDS: Final = ("go",)
_PLUGINS: Final = ("google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc")
"""Pinned in tools/go.mod."""
_PACKAGE: Final = "payorch.internal/client/payorch/v1"


def generate(image: Path, out: Path) -> None:
    """Write what belongs into TREE.

    Args:
        image: The contract without the import of the validation rules.
        out: An empty folder.
    """
    tools = ROOT / "build" / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    build = ("go", "build", "-C", str(ROOT / "tools"), "-buildvcs=false", "-trimpath", "-ldflags=-s -w")
    subprocess.run([*build, "-o", f"{tools}/", *_PLUGINS], check=True)  # noqa: S603 - fixed commands
    options = [f"module={_PACKAGE}", *(f"M{name}={_PACKAGE};payorchv1" for name in contract())]
    protoc(
        image,
        *(f"--plugin={tools / plugin.rpartition('/')[2]}" for plugin in _PLUGINS),
        *(f"--{kind}_opt={option}" for kind in ("go", "go-grpc") for option in options),
        f"--go_out={out}",
        f"--go-grpc_out={out}",
    )
