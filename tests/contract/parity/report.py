"""The report of a run, as Markdown for people and as JSON."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from contract.parity.asking import Answer
from contract.parity.cases import Case
from contract.parity.comparing import Difference, DifferenceClass
from contract.parity.subject import PLACEHOLDERS

_LONG_ENOUGH = 8
"""A shorter text, such as the name of a gateway, may be a part of ordinary words."""


class SecretFoundError(Exception):
    """A report held something of the tenant; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one case.

    Attributes:
        case: The case.
        expected: The emulator's answers.
        seen: The tenant's; None when it was not asked.
        lacks: What was not at hand, so that it was not asked.
        differences: Between the two.
    """

    case: Case
    expected: Sequence[Answer]
    seen: Sequence[Answer] | None = None
    lacks: tuple[str, ...] = ()
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run.

    Attributes:
        at: When it began.
        asked: The tenant's host; empty when only the emulator was asked.
        emulated: Whether what was asked says that it is an emulator itself.
        version: Of the emulator.
        results: In the order of the cases.
    """

    at: datetime
    asked: str
    emulated: bool
    version: str
    results: Sequence[Result]

    def headline(self) -> str:
        """Return what was asked and what came out, in a sentence."""
        if not self.asked:
            return "ONLY THE EMULATOR WAS ASKED: no credentials were given, so nothing here says anything about Zuora."
        compared = sum(result.seen is not None for result in self.results)
        differing = sum(bool(result.differences) for result in self.results)
        whom = f"{self.asked}, WHICH IS AN EMULATOR ITSELF" if self.emulated else self.asked
        return f"{compared} of {len(self.results)} cases were asked of {whom}; {differing} differ from the emulator."

    def write(self, folder: Path, *, secrets: Collection[str]) -> tuple[Path, Path]:
        """Write both forms, named by the time, and return their paths.

        Raises:
            SecretFoundError: One of the secrets is in a form; neither was written.
        """
        texts = {".md": self._markdown(), ".json": json.dumps(self._as_json(), indent=2) + "\n"}
        for text in texts.values():
            if any(secret in text for secret in secrets if len(secret) >= _LONG_ENOUGH):
                raise SecretFoundError("The report would hold a value of the tenant's; it was not written.")
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"parity-{self.at:%Y-%m-%dT%H-%M-%SZ}"
        for ending, text in texts.items():
            (folder / f"{stem}{ending}").write_text(text, encoding="utf-8")
        return folder / f"{stem}.md", folder / f"{stem}.json"

    def _as_json(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            "asked": self.asked or None,
            "asked_is_an_emulator": self.emulated,
            "emulator_version": self.version,
            "headline": self.headline(),
            "cases": [_case_as_json(result) for result in self.results],
        }

    def _markdown(self) -> str:
        counts = Counter(each.kind for result in self.results for each in result.differences)
        lines = [f"# Parity of the emulator, {self.at:%Y-%m-%d %H:%M} UTC", "", self.headline(), ""]
        lines += [f"Emulator {self.version}.", "No value of the tenant's is in this report.", ""]
        lines += ["| class | differences |", "|---|---|", *(f"| {kind} | {counts[kind]} |" for kind in DifferenceClass)]
        lines += ["", "## Differences", "", "| case | class | emulator | tenant |", "|---|---|---|---|"]
        for result in self.results:
            lines += [
                f"| {result.case.name} | {each.kind} | {each.expected} | {each.seen} |" for each in result.differences
            ]
        not_asked = [result for result in self.results if result.seen is None]
        if self.asked and not_asked:
            lines += ["", "## Not asked", "", "| case | needs |", "|---|---|"]
            lines += [f"| {result.case.name} | {', '.join(result.lacks)} |" for result in not_asked]
        lines += ["", "## Cases", "", "| case | request | emulator | tenant |", "|---|---|---|---|"]
        lines += [_row(result) for result in self.results]
        return "\n".join(lines) + "\n"


def _case_as_json(result: Result) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "requests": _shown_requests(result.case),
        "expected_by_emulator": [answer.as_json() for answer in result.expected],
        "seen_at_tenant": None if result.seen is None else [answer.as_json() for answer in result.seen],
        "not_asked_for_lack_of": list(result.lacks),
        "differences": [asdict(each) for each in result.differences],
    }


def _shown_requests(case: Case) -> list[Mapping[str, Any]]:
    # Made of placeholders: no value of the tenant was ever in them.
    return [asdict(request) for request in case.requests(PLACEHOLDERS, "<run>")]


def _row(result: Result) -> str:
    request = "; ".join(f"`{each['method']} {each['path']}`" for each in _shown_requests(result.case))
    here, there = (_statuses(answers) for answers in (result.expected, result.seen))
    return f"| {result.case.name} | {request} | {here} | {there} |"


def _statuses(answers: Sequence[Answer] | None) -> str:
    return "not asked" if answers is None else ", ".join(str(answer.status or "none") for answer in answers)
