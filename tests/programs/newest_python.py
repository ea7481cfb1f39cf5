"""Runs the unit tests with the newest Python there is; `make test` runs them with the oldest that is supported.

The interpreters are those on the PATH, and those that pyenv keeps.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_SUMMARY: Final = "Run the unit tests with the newest Python there is."
_VERSIONS: Final = ("3.14", "3.13", "3.12")
_ROOT: Final = Path(__file__).parents[2]
_PROJECTS: Final = ("clients/python", "tests/emulator", ".")


def main() -> int:
    """Prepare an environment and run the tests in it; return their status, or 1 if there is no newer Python."""
    parser = argparse.ArgumentParser(prog="python -m programs.newest_python", description=_SUMMARY)
    parser.add_argument("tests", nargs="*", default=["tests/unit"], help="what pytest runs; by default all unit tests")
    chosen = parser.parse_args().tests
    version, interpreter = next(((name, path) for name in _VERSIONS if (path := _interpreter(name))), ("", ""))
    if not interpreter:
        print(f"Python {_VERSIONS[-1]} or newer is needed, beside the one in .venv.", file=sys.stderr)
        return 1
    environment = _ROOT / "build" / f"python-{version}"
    python = environment / "bin" / "python"
    steps = {
        f"Making {environment.relative_to(_ROOT)} with {interpreter}": [
            ("venv", "--quiet", "--clear", "--python", interpreter, str(environment))
        ],
        "Installing the locked requirements": [
            ("pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", "requirements/dev.txt"),
            (
                *("pip", "install", "--quiet", "--python", str(python), "--no-deps", "--no-build-isolation"),
                *(argument for project in _PROJECTS for argument in ("-e", f"./{project}")),
            ),
        ],
    }
    try:
        for told, commands in steps.items():
            print(told, flush=True)
            for command in commands:
                subprocess.run((_uv(), *command), cwd=_ROOT, check=True)  # noqa: S603 - ours
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(map(str, error.cmd))} failed with status {error.returncode}.", file=sys.stderr)
        return 1
    print(f"Testing with Python {version}", flush=True)
    # A folder of its own for what pytest keeps, so that both can run side by side.
    pytest = (str(python), "-m", "pytest", "-n", "2", "-o", f"cache_dir={environment / 'pytest'}", *chosen)
    return subprocess.run(pytest, cwd=_ROOT, check=False).returncode  # noqa: S603 - ours


def _uv() -> str:
    """Return the uv of the environment that runs this."""
    return str(Path(sys.executable).parent / "uv")


def _interpreter(version: str) -> str:
    """Return the path of an interpreter of a version, or nothing."""
    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    candidates = [shutil.which(f"python{version}"), *kept]
    return next((str(path) for path in candidates if path and _runs(str(path))), "")


def _runs(interpreter: str) -> bool:
    """Return whether an interpreter runs; pyenv puts commands on the PATH for versions that are not in use."""
    command = (interpreter, "-c", "import venv")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - an interpreter


if __name__ == "__main__":
    sys.exit(main())
