"""Installs the emulator's wheel with its locked requirements into an environment of its own, and uses it as a stranger.

The environment has neither this tree nor its packages: the command, its example and the pytest plug-in have to work
with what the wheel brings and names.
"""

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Final
from zipfile import ZipFile

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGE: Final = _ROOT / "tests" / "emulator"
_UV: Final = str(Path(sys.executable).with_name("uv"))
_WITHIN_S: Final = 120
_STRANGERS_TEST: Final = """
import httpx


def test_pays_nothing_yet(zuora_emulator, zuora_emulator_url):
    assert httpx.get(f"{zuora_emulator_url}/_emulator/ledger").json()["entries"] == []
    assert zuora_emulator.state.invoices
"""


class WheelError(Exception):
    """The wheel does not do what a stranger may expect; the message is a sentence."""


def _run(*command: str | Path, folder: Path = _ROOT) -> str:
    """Run a command without the tree's environment; return what it printed.

    Raises:
        WheelError: It fails.
    """
    done = subprocess.run(  # noqa: S603 - ours
        ["/usr/bin/env", "-u", "PYTHONPATH", *command],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
    )
    if done.returncode:
        raise WheelError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def _built(folder: Path) -> Path:
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=_PACKAGE)
    [wheel] = folder.glob("*.whl")
    return wheel


def _install(programs: Path, *what: str | Path) -> None:
    _run(_UV, "pip", "install", "--quiet", "--only-binary=:all:", "--python", programs / "python", *what)


def _look_at(wheel: Path) -> str:
    """Look at what the wheel is; its licence, its text and its mark."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        [about] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(about))
    for wanted in ("licenses/LICENSE", "zuora_emulator/py.typed", "zuora_emulator_pytest.py"):
        if not any(name.endswith(wanted) for name in names):
            raise WheelError(f"{wheel.name} has no {wanted}.")
    if "it is not Zuora" not in str(metadata["Summary"]):
        raise WheelError("The summary of the wheel does not say that it is not Zuora.")
    return f"{wheel.name}: {len(names)} files, {wheel.stat().st_size} bytes"


def _installed(folder: Path, wheel: Path) -> Path:
    """Make an environment with the locked requirements and the wheel; return its folder of programs."""
    environment = folder / "environment"
    _run(sys.executable, "-m", "venv", "--without-pip", environment)
    programs = environment / "bin"
    _install(programs, "--require-hashes", "-r", _ROOT / "requirements" / "emulator.txt")
    # Without an index: whatever the wheel names and the lock lacks is missing.
    _install(programs, "--no-index", wheel)
    return programs


@contextmanager
def _serving(programs: Path, folder: Path) -> Iterator[str]:
    """Run `serve` and give its address; SIGTERM has to end it well."""
    command = [programs / "zuora-emulator", "serve", "--port", "0", "--quiet"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not (found := re.search(r"\(not Zuora\) on (http://\S+)", first)):
            raise WheelError(f"serve begins with {first!r}.")
        yield found[1]
        process.send_signal(signal.SIGTERM)
        if process.wait(_WITHIN_S):
            raise WheelError(f"serve ended with {process.returncode} at SIGTERM.")
    finally:
        process.kill()
        process.wait()


def _use(programs: Path, folder: Path) -> Iterator[str]:
    """Use every command; yield a line for each."""
    command = programs / "zuora-emulator"
    if "It is not Zuora." not in _run(command, "--help", folder=folder):
        raise WheelError("The help does not say that it is not Zuora.")
    yield f"{_run(command, '--version', folder=folder).strip()}, whose help says that it is not Zuora"
    scenarios = _run(command, "scenarios", folder=folder).splitlines()
    fixtures = _run(command, "fixtures", folder=folder)
    (folder / "mine.yaml").write_text(fixtures)
    yield f"{len(scenarios)} scenarios, and a world of {len(fixtures.splitlines())} lines to change"
    with _serving(programs, folder) as base_url:
        (folder / "pay.py").write_bytes((_PACKAGE / "examples" / "pay.py").read_bytes())
        _run(programs / "python", "pay.py", base_url, folder=folder)
        if "decryption" not in _run(command, "ledger", "--url", base_url, folder=folder):
            raise WheelError("The ledger does not show the payment of the example.")
    yield "the example paid once, and SIGTERM ended serve"


def _test(programs: Path, folder: Path) -> str:
    """Run a stranger's test, which finds the fixtures by itself."""
    pins = re.findall(r"^[\w.-]+==[^ ;\\]+", (_ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(pins))
    _install(programs, "-c", folder / "constraints.txt", "pytest")
    (folder / "test_stranger.py").write_text(_STRANGERS_TEST)
    printed = _run(programs / "python", "-W", "error", "-m", "pytest", "-q", folder=folder)
    if "1 passed" not in printed:
        raise WheelError(f"pytest printed {printed!r}.")
    return "a stranger's test found the fixtures of the plug-in"


def main() -> int:
    """Build, install and use it; exit status 1 if something is not as it should be."""
    with tempfile.TemporaryDirectory(prefix="zuora-emulator-") as name:
        folder = Path(name)
        try:
            wheel = _built(folder)
            print(_look_at(wheel), flush=True)
            programs = _installed(folder, wheel)
            for line in _use(programs, folder):
                print(f"  {line}", flush=True)
            print(f"  {_test(programs, folder)}")
        except WheelError as problem:
            print(problem, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
