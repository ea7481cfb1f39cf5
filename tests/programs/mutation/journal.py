"""The verdicts so far, in a file to which each is added at once: a run that is ended continues where it was."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from programs.mutation.areas import Area
from programs.mutation.mutant import Mutant, Status, Verdict

_READ: Final = ("service/payorch_server", "tests/emulator/zuora_emulator", "tests/harness")


class Journal:
    """Verdicts on disk.

    A mutant stays killed while its module and the file of the test that killed it are unchanged.
    One that survived is tried again as soon as any code or test of its area has changed.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._digests: dict[str, str] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self._known = {record["mutant"]: record for record in map(_record_of, lines) if record}

    def verdict(self, area: Area, mutant: Mutant) -> Verdict | None:
        """Return the recorded verdict on a mutant if it is still valid."""
        record = self._known.get(_name(area, mutant))
        if not record:
            return None
        verdict = Verdict(Status(record["status"]), record["by"])
        return verdict if record["valid_for"] == self._inputs(area, mutant, verdict) else None

    def add(self, area: Area, mutant: Mutant, verdict: Verdict) -> None:
        """Append a verdict."""
        record = {
            "mutant": _name(area, mutant),
            "status": verdict.status,
            "by": verdict.by,
            "valid_for": self._inputs(area, mutant, verdict),
        }
        self._known[record["mutant"]] = record
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def baseline(self, area: Area) -> dict[str, Any] | None:
        """Return what the tests of an area did without a mutant, if no code or test of it has changed since."""
        path = self._path.with_name(f"{area.name}.json")
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return kept["baseline"] if kept and kept["valid_for"] == self._all_inputs(area) else None

    def keep_baseline(self, area: Area, baseline: dict[str, Any]) -> None:
        """Write down what the tests of an area did without a mutant."""
        content = {"valid_for": self._all_inputs(area), "baseline": baseline}
        self._path.with_name(f"{area.name}.json").write_text(json.dumps(content))

    def _inputs(self, area: Area, mutant: Mutant, verdict: Verdict) -> str:
        killer = verdict.by.partition("::")[0]
        if verdict.status is Status.KILLED and killer.endswith(".py"):
            return _digest("".join(map(self._digest_of, (mutant.module, killer))).encode())
        return self._all_inputs(area)

    def _all_inputs(self, area: Area) -> str:
        code = (path for folder in _READ for path in (self._root / folder).rglob("*.py"))
        files = [*sorted(str(path.relative_to(self._root)) for path in code), *area.files_of_tests(self._root)]
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


def _name(area: Area, mutant: Mutant) -> str:
    return _digest(repr((area.name, mutant.identity, mutant.text)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
