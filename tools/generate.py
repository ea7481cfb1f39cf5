"""The only producer of generated code, and the gate that finds drift. For Python it needs no network.

python tools/generate.py                  lint the protos, write the code of every language whose tools are here
python tools/generate.py --check          the same for Python into a temporary folder; fail if the tree differs
python tools/generate.py --check --language go    for a language too
"""

import argparse
import filecmp
import importlib
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
RELEASED = sorted((ROOT / "tests" / "vectors").glob("*/descriptors.binpb"))
"""Of each release."""
PYTHON_OUT = ROOT / "clients" / "python" / "src"
BIN = Path(sys.executable).parent
PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")
LANGUAGES = ("go", "typescript", "java", "rust")
"""Besides Python; each has a module in generators/."""


def run(*command: str | Path) -> None:
    """Run one tool; its own output says what is wrong."""
    if subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode:  # noqa: S603 - fixed commands
        sys.exit(f"{Path(command[0]).name} failed; nothing was written.")


def build_images(build: Path, sources: list[str], protos: Path = PROTOS) -> None:
    """Compile the protos once, with comments, and once without the import of the validation rules."""
    run(sys.executable, "tools/validate_descriptor.py", build / "validate.binpb")
    # google/api, google/type and google/rpc come with googleapis-common-protos.
    run(sys.executable, "-m", "grpc_tools.protoc", "-I", protos, "-I", site.getsitepackages()[0],
        f"--descriptor_set_in={build / 'validate.binpb'}", "--include_imports", "--include_source_info",
        "-o", build / "payorch.binpb", *sources)  # fmt: skip
    run(sys.executable, "tools/strip_validation_import.py", build / "payorch.binpb", build / "soft.binpb")


def lint(build: Path) -> None:
    """Refuse what breaks the lint rules, the format, or a caller of a release."""
    image, config = build / "payorch.binpb", PROTOS / "buf.yaml"
    run(BIN / "buf", "format", PROTOS, "--diff", "--exit-code")
    run(BIN / "buf", "lint", image, "--config", config, "--path", "payorch")
    for released in RELEASED:
        run(BIN / "buf", "breaking", image, "--config", config, "--path", "payorch", "--against", released)


def generate_python(build: Path, out: Path, sources: list[str]) -> None:
    """Write the messages, stubs and type stubs of the Python client.

    The messages come from the compiler of protobuf 5.26: code runs on its own version of the runtime and on later ones,
    and this is the last compiler whose code does not warn of them.
    """
    run(protoc.PROTOC_EXE, f"--descriptor_set_in={build / 'soft.binpb'}",
        f"--plugin=protoc-gen-mypy={BIN / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={BIN / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}", f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}",
        *sources)  # fmt: skip
    run(sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={build / 'soft.binpb'}",
        f"--grpc_python_out={out}", *sources)  # fmt: skip


def generated(folder: Path) -> set[str]:
    """Return the names of the generated files below a folder, relative to it."""
    return {str(path.relative_to(folder)) for pattern in PATTERNS for path in folder.rglob(pattern)}


def differences(fresh: Path, tree: Path) -> list[str]:
    """Return the names of generated files that are missing, stale or orphaned in the tree."""
    new, old = generated(fresh), generated(tree)
    same = {name for name in new & old if filecmp.cmp(fresh / name, tree / name, shallow=False)}
    return sorted((new | old) - same)


def generator(language: str) -> ModuleType:
    """Return the module that generates a language's code into the folder `TREE` with the commands `NEEDS`."""
    return importlib.import_module(f"generators.{language}")


def all_files(folder: Path) -> set[str]:
    """Return the names of all files below a folder, relative to it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def language_differences(language: str, image: Path, fresh: Path) -> list[str]:
    """Generate a language's code; return the names of files that are missing, stale or orphaned in the tree."""
    module = generator(language)
    fresh.mkdir()
    module.generate(image, fresh)
    new, old = all_files(fresh), all_files(ROOT / module.TREE)
    same = {name for name in new & old if filecmp.cmp(fresh / name, ROOT / module.TREE / name, shallow=False)}
    return sorted(f"{module.TREE}/{name}" for name in (new | old) - same)


def stale_languages(protos: Path, languages: Iterable[str]) -> set[str]:
    """Return the languages whose code in the tree is not that of some protos."""
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    stale: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        build_images(build, sources, protos)
        (build / "python").mkdir()
        generate_python(build, build / "python", sources)
        if differences(build / "python", PYTHON_OUT):
            stale.add("python")
        for language in set(languages) - {"python"}:
            if language_differences(language, build / "soft.binpb", build / language):
                stale.add(language)
    return stale


def write_languages(build: Path, languages: Sequence[str]) -> None:
    """Write the code of languages, whole."""
    for language in languages:
        if stale := language_differences(language, build / "soft.binpb", build / language):
            tree = ROOT / generator(language).TREE
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(build / language, tree)
        print(f"{language}: generated code {'written' if stale else 'up to date'}")


def ready_languages() -> list[str]:
    """Return the languages whose tools are here; say which are not."""
    missing = {one: [need for need in generator(one).NEEDS if shutil.which(need) is None] for one in LANGUAGES}
    for language, needs in missing.items():
        if needs:
            print(f"{language}: not generated, for want of {', '.join(needs)}", file=sys.stderr)
    return [language for language, needs in missing.items() if not needs]


def main(given: Sequence[str] | None = None) -> None:
    """Lint, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--language", choices=LANGUAGES, action="append", default=[], help="may be repeated")
    arguments = parser.parse_args(given)
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        build, fresh = Path(folder), Path(folder) / "python"
        fresh.mkdir()
        build_images(build, sources)
        lint(build)
        generate_python(build, fresh, sources)
        stale = differences(fresh, PYTHON_OUT)
        languages = arguments.language or ([] if arguments.check else ready_languages())
        if not arguments.check:
            write_languages(build, languages)
        for language in languages if arguments.check else ():
            stale += language_differences(language, build / "soft.binpb", build / language)
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
