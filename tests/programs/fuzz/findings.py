"""Where findings are written, and how an input is made smaller without losing what is wrong with it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fuzz.target import Finding

_MOST_TRIES: Final = 3000


@dataclass(slots=True)
class Findings:
    """The findings of one target: the smallest input of each."""

    target: str
    folder: Path
    _sizes: dict[str, int] = field(default_factory=dict)

    def add(self, finding: Finding, data: bytes) -> bool:
        """Write an input down if it is the smallest of its finding; return whether it was."""
        known = self._sizes.get(finding.signature)
        if known is not None and known <= len(data):
            return False
        self._sizes[finding.signature] = len(data)
        name = f"{finding.kind}-{hashlib.sha256(finding.signature.encode()).hexdigest()[:8]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)
        (self.folder / f"{name}.txt").write_text(
            f"{finding.signature}\n\nReplay: {replay_command(self.target, self.folder / name)}\n\n{finding.text}\n",
            encoding="utf-8",
        )
        return True


def replay_command(target: str, file: Path) -> str:
    """Return the command that runs a target with an input once."""
    return f"PYTHONPATH=tests .venv/bin/python -m programs.fuzz.replay {target} {file}"


def inputs_in(folder: Path) -> list[Path]:
    """Return the inputs of findings in a folder, in order."""
    return sorted(path for path in folder.glob("*-*") if path.suffix != ".txt")


def minimised(data: bytes, is_same: Callable[[bytes], bool]) -> bytes:
    """Return a part of an input, as small as removing pieces makes it.

    Args:
        data: The input.
        is_same: Whether an input still shows the finding.
    """
    tries = 0
    size = len(data) // 2
    while size and tries < _MOST_TRIES:
        at = 0
        while at < len(data) and tries < _MOST_TRIES:
            shorter = data[:at] + data[at + size :]
            tries += 1
            if is_same(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
