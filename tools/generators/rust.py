"""Writes the messages and stubs of the Rust client with prost and tonic, driven by a small crate beside this module."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import progress
from google.protobuf import descriptor_pb2

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TREE: Final = Path("clients/rust/src/generated")
NEEDS: Final = ("cargo",)
_CRATE: Final = Path(__file__).with_suffix("")
_BUILD: Final = ROOT / "build" / "generators" / "rust"
_LEFT_OUT: Final = "google.api"
"""Options alone, which prost drops. Code of google.type is written, as no maintained crate has it."""


def generate(image: Path, out: Path) -> None:
    """Write the generated files.

    Args:
        image: Descriptors with comments, without the import of the validation rules.
        out: An empty folder.

    Raises:
        subprocess.CalledProcessError: cargo or the crate failed; their own output says why.
    """
    _BUILD.mkdir(parents=True, exist_ok=True)
    given = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    kept = descriptor_pb2.FileDescriptorSet(file=[file for file in given.file if file.package != _LEFT_OUT])
    (_BUILD / "image.binpb").write_bytes(kept.SerializeToString())
    # prost reads no such option by itself.
    sensitive = [name for file in kept.file for name in _sensitive(file.message_type, file.package)]
    (_BUILD / "sensitive.txt").write_text("\n".join(sensitive) + "\n")
    progress.run(
        *("cargo", "run", "--manifest-path", _CRATE / "Cargo.toml", "--target-dir", _BUILD / "target"),
        *("--", _BUILD / "image.binpb", _BUILD / "sensitive.txt", out),
    )


def _sensitive(messages: Iterable[descriptor_pb2.DescriptorProto], above: str) -> Iterator[str]:
    """Return the full names of the fields that may not be shown."""
    for message in messages:
        name = f"{above}.{message.name}"
        yield from (f"{name}.{field.name}" for field in message.field if field.options.debug_redact)
        yield from _sensitive(message.nested_type, name)
