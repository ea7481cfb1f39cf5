"""The verdicts so far, in a file to which each is added at once: a run that is ended continues where it was."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from programs.mutation.mutant import Fate, Mutant, Verdict
from programs.mutation.rooms import Room

_READ: Final = ("service/payorch_server", "tests/emulator/zuora_emulator", "tests/harness")


class Journal:
    """Verdicts on disk.

    A mutant stays killed while its module and the file of the test that killed it are unchanged.
    One that survived is tried again as soon as any code or test of its room has changed.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._digests: dict[str, str] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self._known = {record["mutant"]: record for record in map(_record_of, lines) if record}

    def verdict(self, room: Room, mutant: Mutant) -> Verdict | None:
        """Return what is known of a mutant and still holds."""
        record = self._known.get(_name(room, mutant))
        if not record:
            return None
        verdict = Verdict(Fate(record["fate"]), record["by"])
        return verdict if record["valid_for"] == self._inputs(room, mutant, verdict) else None

    def add(self, room: Room, mutant: Mutant, verdict: Verdict) -> None:
        """Write a verdict down."""
        record = {
            "mutant": _name(room, mutant),
            "fate": verdict.fate,
            "by": verdict.by,
            "valid_for": self._inputs(room, mutant, verdict),
        }
        self._known[record["mutant"]] = record
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def baseline(self, room: Room) -> dict[str, Any] | None:
        """Return what the tests of a room did without a mutant, if no code or test of it has changed since."""
        path = self._path.with_name(f"{room.name}.json")
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return kept["baseline"] if kept and kept["valid_for"] == self._all_inputs(room) else None

    def keep_baseline(self, room: Room, baseline: dict[str, Any]) -> None:
        """Write down what the tests of a room did without a mutant."""
        content = {"valid_for": self._all_inputs(room), "baseline": baseline}
        self._path.with_name(f"{room.name}.json").write_text(json.dumps(content))

    def _inputs(self, room: Room, mutant: Mutant, verdict: Verdict) -> str:
        killer = verdict.by.partition("::")[0]
        if verdict.fate is Fate.KILLED and killer.endswith(".py"):
            return _digest("".join(map(self._digest_of, (mutant.module, killer))).encode())
        return self._all_inputs(room)

    def _all_inputs(self, room: Room) -> str:
        code = (path for folder in _READ for path in (self._root / folder).rglob("*.py"))
        files = [*sorted(str(path.relative_to(self._root)) for path in code), *room.files_of_tests(self._root)]
        return _digest("".join(map(self._digest_of, files)).encode())

    def _digest_of(self, file: str) -> str:
        if file not in self._digests:
            path = self._root / file
            self._digests[file] = _digest(path.read_bytes()) if path.exists() else "absent"
        return self._digests[file]


def _record_of(line: str) -> dict[str, str] | None:
    """Return the record of a line; a line that was cut off is none."""
    try:
        record: dict[str, str] = json.loads(line)
    except ValueError:
        return None
    return record


def _name(room: Room, mutant: Mutant) -> str:
    return _digest(repr((room.name, mutant.identity, mutant.text)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
