"""Where the hand-written code is."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service" / "payorch_server"
CLIENT = ROOT / "clients" / "python" / "src" / "payorch"
EMULATOR = ROOT / "tests" / "emulator" / "zuora_emulator"
PACKAGES = (SERVICE, CLIENT, EMULATOR)


def modules() -> Iterator[Path]:
    """Yield every module that a person wrote."""
    for package in PACKAGES:
        yield from (path for path in sorted(package.rglob("*.py")) if "_pb2" not in path.name)


def name_of(path: Path) -> str:
    """Name a file from the root of the repository."""
    return str(path.relative_to(ROOT))
