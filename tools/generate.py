"""The only producer of generated code, and the gate that finds drift. It needs no network.

python tools/generate.py             lint the protos and write the generated code
python tools/generate.py --check     the same into a temporary folder; fail if the tree differs
python tools/generate.py --baseline  accept today's protos as what later ones must not break
"""

import argparse
import filecmp
import shutil
import site
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
BASELINE = PROTOS / "baseline.binpb"
PYTHON_OUT = ROOT / "clients" / "python" / "src"
BIN = Path(sys.executable).parent
PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def run(*command: str | Path) -> None:
    """Run one tool; its own output says what is wrong."""
    if subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode:  # noqa: S603 - fixed commands
        sys.exit(f"{Path(command[0]).name} failed; nothing was written.")


def build_images(build: Path, sources: list[str]) -> None:
    """Compile the protos once, with comments, and once without the import of the validation rules."""
    run(sys.executable, "tools/validate_descriptor.py", build / "validate.binpb")
    # google/api, google/type and google/rpc come with googleapis-common-protos.
    run(sys.executable, "-m", "grpc_tools.protoc", "-I", PROTOS, "-I", site.getsitepackages()[0],
        f"--descriptor_set_in={build / 'validate.binpb'}", "--include_imports", "--include_source_info",
        "-o", build / "payorch.binpb", *sources)  # fmt: skip
    run(sys.executable, "tools/soften.py", build / "payorch.binpb", build / "soft.binpb")


def lint(build: Path) -> None:
    """Refuse what breaks the lint rules, the format, or a caller of the baseline."""
    image, config = build / "payorch.binpb", PROTOS / "buf.yaml"
    run(BIN / "buf", "format", PROTOS, "--diff", "--exit-code")
    run(BIN / "buf", "lint", image, "--config", config, "--path", "payorch")
    if BASELINE.exists():
        run(BIN / "buf", "breaking", image, "--config", config, "--path", "payorch", "--against", BASELINE)


def generate_python(build: Path, out: Path, sources: list[str]) -> None:
    """Write the messages, stubs and type stubs of the Python client."""
    run(sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={build / 'soft.binpb'}",
        f"--plugin=protoc-gen-mypy={BIN / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={BIN / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}", f"--grpc_python_out={out}", f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}",
        *sources)  # fmt: skip


def generated(folder: Path) -> set[str]:
    """Return the names of the generated files below a folder, relative to it."""
    return {str(path.relative_to(folder)) for pattern in PATTERNS for path in folder.rglob(pattern)}


def differences(fresh: Path, tree: Path) -> list[str]:
    """Return the names of generated files that are missing, stale or orphaned in the tree."""
    new, old = generated(fresh), generated(tree)
    same = {name for name in new & old if filecmp.cmp(fresh / name, tree / name, shallow=False)}
    return sorted((new | old) - same)


def main() -> None:
    """Lint, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--baseline", action="store_true")
    arguments = parser.parse_args()
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        build, fresh = Path(folder), Path(folder) / "python"
        fresh.mkdir()
        build_images(build, sources)
        lint(build)
        generate_python(build, fresh, sources)
        if arguments.baseline:
            shutil.copyfile(build / "soft.binpb", BASELINE)
        stale = differences(fresh, PYTHON_OUT)
        if arguments.check and stale:
            sys.exit("Generated code differs from the protos; run `make generate`:\n  " + "\n  ".join(stale))
        for name in [] if arguments.check else stale:
            (PYTHON_OUT / name).unlink(missing_ok=True)
            if (fresh / name).exists():
                (PYTHON_OUT / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(fresh / name, PYTHON_OUT / name)
    print(f"protos: {len(sources)} files clean, generated code {'up to date' if not stale else 'written'}")


if __name__ == "__main__":
    main()
