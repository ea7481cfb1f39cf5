"""The emulator as people run it, without its limits of calls and its lines on the terminal."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from programs.bench.children import Child, child

_NO_LIMITS: Final = ("rate_limit_per_minute=none", "concurrency_limit=none")


@contextlib.contextmanager
def emulator(name: str) -> Iterator[tuple[Child, str]]:
    """Run the emulator with its built-in world, and yield its process and its base URL.

    Args:
        name: For people.

    Raises:
        BenchError: It does not listen.
    """
    command: list[str | Path] = [Path(sys.executable).with_name("zuora-emulator"), "serve", "--port", "0", "--quiet"]
    command += [argument for switch in _NO_LIMITS for argument in ("--switch", switch)]
    with child(name, command) as process:
        yield process, process.line().decode().split()[-1]
