"""Writes the messages and stubs of the Java client with protoc and grpc-java's plugin, both from Maven Central."""

import subprocess
from pathlib import Path
from typing import Final

import progress
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2
from payorch.v1 import sensitivity_pb2

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TREE: Final = Path("clients/java/client/src/generated/java")
NEEDS: Final = ("mvn",)
PACKAGE: Final = "internal.payorch.v1"
PROTOC: Final = "com.google.protobuf:protoc:3.25.9"
"""Of the generation that grpc-java itself uses; its code runs with protobuf-java 4 as well."""
PLUGIN: Final = "io.grpc:protoc-gen-grpc-java:1.83.0"
_FETCH: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy"
_OPTIONS: Final = (field_behavior_pb2.field_behavior, sensitivity_pb2.sensitivity)
"""Options of fields that are kept; they are known once their modules are imported."""
_PROGRAMS: Final = ROOT / "build" / "generators" / "java"


def generate(image: Path, out: Path) -> None:
    """Write the generated files.

    Args:
        image: Descriptors with comments, without the import of the validation rules.
        out: An empty folder.

    Raises:
        subprocess.CalledProcessError: A program failed; its own output says why.
    """
    protoc, plugin = _program(PROTOC), _program(PLUGIN)
    named = _PROGRAMS / "image.binpb"
    files = _with_java_names(descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()))
    # The rules of validation, whose import the image lacks: this protoc aborts at options that it does not know.
    files.DiscardUnknownFields()
    named.write_bytes(files.SerializeToString())
    subprocess.run(  # noqa: S603 - fixed commands
        [protoc, f"--descriptor_set_in={named}", f"--plugin=protoc-gen-grpc-java={plugin}", f"--java_out={out}",
         f"--grpc-java_out=@generated=omit:{out}", *(file.name for file in files.file if _is_ours(file))],
        check=True,
    )  # fmt: skip


def _with_java_names(files: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    """Say how Java calls our files, as protobuf's style guide has it; the protos themselves know of no language."""
    for file in files.file:
        if _is_ours(file):
            file.options.java_package = PACKAGE
            file.options.java_multiple_files = True
            file.options.java_outer_classname = Path(file.name).stem.title().replace("_", "") + "Proto"
    return files


def _is_ours(file: descriptor_pb2.FileDescriptorProto) -> bool:
    return file.package == "payorch.v1"


def _program(artifact: str) -> Path:
    """Return the path of a program that is published as an artifact; fetches it once."""
    _, name, version = artifact.split(":")
    program = _PROGRAMS / f"{name}-{version}-linux-x86_64.exe"
    if not program.exists():
        print(f"Fetching {artifact} (once) ...")
        progress.run("mvn", "-B", _FETCH, f"-Dartifact={artifact}:exe:linux-x86_64", f"-DoutputDirectory={_PROGRAMS}")
    program.chmod(0o755)
    return program
