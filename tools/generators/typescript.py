"""The TypeScript client's messages and descriptors."""

import shutil
from pathlib import Path
from typing import Final

import progress

from generators.protoc import ROOT, contract, protoc

TREE: Final = Path("clients/typescript/src/gen")
"""Everything in it is generated."""
NEEDS: Final = ("node", "npm")
_PINS: Final = ("package.json", "package-lock.json", ".npmrc")
# No npm package has them; the details of an error and the status codes are of google.rpc.
_GOOGLE: Final = (
    "google/api/field_behavior.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "google/type/money.proto",
)
_EXTENSION: Final = "js"
"""What Node.js wants to be named in an import."""


def generate(image: Path, out: Path) -> None:
    """Write what belongs into TREE.

    Args:
        image: The contract without the import of the validation rules.
        out: An empty folder.
    """
    plugin = _installed() / "node_modules" / ".bin" / "protoc-gen-es"
    protoc(
        image,
        f"--plugin={plugin}",
        f"--es_opt=target=ts,import_extension={_EXTENSION}",
        f"--es_out={out}",
        beside=_GOOGLE,
    )
    exports = [f'export * from "./{name.removesuffix(".proto")}_pb.{_EXTENSION}";\n' for name in contract()]
    (out / "v1.ts").write_text("".join(["// Everything of payorch.v1. Generated.\n", *exports]), encoding="utf-8")


def _installed() -> Path:
    """Install the plugin that the client's lock file names, beside the client; return where."""
    folder = ROOT / "build" / "generators" / "typescript"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PINS:
        shutil.copyfile(ROOT / "clients" / "typescript" / name, folder / name)
    npm = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=http")
    progress.run(*npm, folder=folder)
    return folder
