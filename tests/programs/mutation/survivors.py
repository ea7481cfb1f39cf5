"""The mutants that may survive: each with the reason why no test has to notice it."""

import json
import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from programs.mutation.mutant import Mutant

FILE: Final = Path(__file__).with_name("survivors.toml")
_MEMBERS: Final = {"module", "function", "before", "after", "kind", "reason"}
_KINDS: Final = {"equivalent", "harmless"}
_SHORTEST_REASON: Final = 20


@dataclass(frozen=True, slots=True)
class Survivor:
    """An entry of the list."""

    module: str
    function: str
    before: str
    after: str
    kind: str
    """`equivalent`: it behaves like the code in the tree; `harmless`: what differs concerns no caller and no money."""
    reason: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What the mutant is named by; see `Mutant.identity`."""
        return self.module, self.function, self.before, self.after


def survivors_of(text: str) -> list[Survivor]:
    """Read the list.

    Raises:
        ValueError: An entry lacks a member or a reason, has an unknown kind, or stands there twice.
    """
    entries = tomllib.loads(text).get("survivor", [])
    for entry in entries:
        if set(entry) != _MEMBERS or entry["kind"] not in _KINDS or len(entry["reason"]) < _SHORTEST_REASON:
            raise ValueError(f"no complete entry of a survivor: {entry}")
    survivors = [Survivor(**entry) for entry in entries]
    if len({survivor.identity for survivor in survivors}) < len(survivors):
        raise ValueError("a survivor is listed twice")
    return survivors


def outdated(survivors: Iterable[Survivor], possible: Collection[Mutant], killed: Collection[Mutant]) -> Iterator[str]:
    """Yield a sentence for each entry that names no mutant of the tree, or one that a test kills.

    Args:
        survivors: Those of the modules that were mutated.
        possible: All mutants of these modules, not only a sample.
        killed: Those that a test killed.
    """
    identities = {mutant.identity for mutant in possible}
    noticed = {mutant.identity for mutant in killed}
    for survivor in survivors:
        where = f"{survivor.module}, {survivor.function}: {survivor.after}"
        if survivor.identity not in identities:
            yield f"listed as a survivor, but no mutant of the code as it is: {where}"
        elif survivor.identity in noticed:
            yield f"listed as a survivor, but a test kills it: {where}"


def entry_for(mutant: Mutant) -> str:
    """Return the entry of a mutant in the list, with its reason still to be written."""
    members = zip(("module", "function", "before", "after"), mutant.identity, strict=True)
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in members]
    return "\n".join(("[[survivor]]", *lines, 'kind = ""', 'reason = ""'))
