"""What differs between the answers of the emulator and those of the tenant, by class."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contract.parity.asking import Answer


class DifferenceClass(enum.StrEnum):
    """The kinds of differences, the gravest first."""

    NO_ANSWER = "no_answer"
    """The tenant did not answer."""
    OUTCOME = "outcome"
    """One accepted what the other refused."""
    STATUS = "status"
    """The HTTP status."""
    CODES = "codes"
    """The families, categories or JSON types of reason codes, or Quickstart's error words."""
    BODY = "body"
    """Members of the body, or their JSON types."""
    HEADERS = "headers"
    """Headers that clients read."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: Its class.
        expected: What the emulator answered, in a few words.
        seen: What the tenant answered.
    """

    kind: DifferenceClass
    expected: str
    seen: str


def differences(expected: Sequence[Answer], seen: Sequence[Answer]) -> list[Difference]:
    """Return what differs, answer by answer; what follows from an unlike outcome is not listed beside it."""
    return [each for pair in zip(expected, seen, strict=True) for each in _between(*pair)]


def _between(expected: Answer, seen: Answer) -> Iterator[Difference]:
    if seen.status == 0:
        yield Difference(DifferenceClass.NO_ANSWER, str(expected.status), seen.body[""])
        return
    if _accepted(expected) != _accepted(seen):
        yield Difference(DifferenceClass.OUTCOME, _outcome(expected), _outcome(seen))
        return
    if expected.status != seen.status:
        yield Difference(DifferenceClass.STATUS, str(expected.status), str(seen.status))
    if (expected.codes, expected.words) != (seen.codes, seen.words):
        yield Difference(
            DifferenceClass.CODES, _listed(expected.codes + expected.words), _listed(seen.codes + seen.words)
        )
    only_expected, only_seen = (_members(expected) - _members(seen), _members(seen) - _members(expected))
    if only_expected or only_seen:
        yield Difference(DifferenceClass.BODY, _listed(sorted(only_expected)), _listed(sorted(only_seen)))
    if expected.headers != seen.headers:
        here, there = set(expected.headers), set(seen.headers)
        yield Difference(DifferenceClass.HEADERS, _listed(sorted(here - there)), _listed(sorted(there - here)))


def _accepted(answer: Answer) -> bool:
    return 200 <= answer.status < 300 and answer.success is not False


def _outcome(answer: Answer) -> str:
    verdict = "accepted" if _accepted(answer) else "refused"
    return f"{verdict} ({answer.status}{'; ' + _listed(answer.codes) if answer.codes else ''})"


def _members(answer: Answer) -> set[str]:
    return {f"{path} ({kind})" for path, kind in answer.body.items()}


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts) or "none"
