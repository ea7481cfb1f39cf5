"""A mutant: the text of a module with one small change."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    module: str
    """Path of the module below the root of the tree."""
    function: str
    """Qualified name of the function, or of the class, that was changed."""
    before: str
    """The changed lines as they are in the tree, without what surrounds them."""
    after: str
    """The same lines in the mutant."""
    first_line: int
    last_line: int
    """Of the changed code, in the tree."""
    text: str
    """The whole mutant of the module."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What names the mutant also after lines around it have moved."""
        return self.module, self.function, self.before, self.after


class Status(StrEnum):
    """The result of running the tests on a mutant."""

    KILLED = "killed"
    """A test failed."""
    SURVIVED = "survived"
    """No test noticed it."""
    TIMED_OUT = "timed out"
    """The tests did not end; in CI, too, that cannot be overlooked."""
    UNJUDGED = "unjudged"
    """The tests were ended from outside, twice: it is not known whether they notice it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status of a mutant, and what decided it."""

    status: Status
    by: str = ""
    """The id of the test that failed, or how many tests noticed nothing."""


def sample(mutants: Sequence[Mutant], *, size: int, seed: int) -> list[Mutant]:
    """Return at most that many mutants, the same for one seed while their own lines stay as they are."""

    def rank(mutant: Mutant) -> bytes:
        return hashlib.sha256(repr((seed, mutant.identity)).encode()).digest()

    return sorted(mutants, key=rank)[:size]
