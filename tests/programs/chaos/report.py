"""What a run prints and, if it failed, writes down."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zuora_emulator import Emulator

from programs.chaos.callers import Callers
from programs.chaos.faults import CausedFault
from programs.chaos.judge import RULES, Finding
from programs.simulation.intent import Answer, Intent

_AFTER_S = 1.0
"""How long after its end a fault still explains an answer."""
_SHORT = {
    "money moved twice": "money 2x",
    "executed twice": "other 2x",
    "executed, answered refused": "refused",
    "answered success, not executed": "success",
    "lost": "lost",
    "unsettled": "unsettled",
    "wrong place": "place",
    "secret in a log": "leak",
    "unforeseen": "other",
}


def table(caused: Sequence[CausedFault], answers: Sequence[Answer], findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each kind of fault, and one for the whole run.

    A finding counts in the line of every fault that was under way while its calls were made; `allowed` counts those
    that the documents except.
    """
    titles = ("fault", "times", "calls", "errors", *(_SHORT[rule] for rule in RULES), "allowed")
    rows = [titles]
    for kind in sorted({hit.fault.kind for hit in caused}):
        spans = [(hit.begin_s, hit.end_s + _AFTER_S) for hit in caused if hit.fault.kind == kind]
        under = [answer for answer in answers if _overlaps(spans, answer.began_s, answer.ended_s)]
        found = [finding for finding in findings if _overlaps(spans, finding.from_s, finding.until_s)]
        rows.append((kind, str(len(spans)), *_counts(under, found)))
    rows.append(("all", str(len(caused)), *_counts(answers, findings)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *cells))


def _counts(answers: Sequence[Answer], findings: Sequence[Finding]) -> list[str]:
    by_rule = Counter(finding.rule for finding in findings if not finding.excuse)
    errors = sum(answer.seen.outcome != "SUCCEEDED" for answer in answers)
    allowed = sum(bool(finding.excuse) for finding in findings)
    return [str(number) for number in (len(answers), errors, *(by_rule[rule] for rule in RULES), allowed)]


def _overlaps(spans: Sequence[tuple[float, float]], begin_s: float, end_s: float) -> bool:
    return any(begin <= end_s and end >= begin_s for begin, end in spans)


def write_down(
    folder: Path,
    *,
    facts: Mapping[str, Any],
    caused: Sequence[CausedFault],
    callers: Callers,
    emulators: Mapping[str, Emulator],
    findings: Sequence[Finding],
    logs: Mapping[str, bytes],
) -> None:
    """Write into a folder all that explains a failed run."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "facts.json", facts)
    _write(folder / "faults.json", [dataclasses.asdict(fault) for fault in caused])
    _write(folder / "findings.json", [dataclasses.asdict(finding) for finding in findings])
    track_ids: dict[str, list[str]] = {}
    for track_id, intent in callers.by_track_id.items():
        track_ids.setdefault(intent.name, []).append(track_id)
    _write(folder / "callers.json", [_shown(intent, track_ids.get(intent.name, [])) for intent in callers.intents])
    for place, emulator in emulators.items():
        _write(folder / f"ledger-{place}.json", emulator.ledger.as_json())
        _write(folder / f"journal-{place}.json", emulator.journal.as_json())
    for name, log in logs.items():
        (folder / f"{name}.log").write_bytes(log)


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1, default=str) + "\n")


def _shown(intent: Intent, track_ids: Sequence[str]) -> dict[str, Any]:
    """Return an intent without its bodies, which hold what must not be written down."""
    return {
        "name": intent.name,
        "rpc": intent.purpose.rpc,
        "request_id": intent.request_id,
        "key": intent.key,
        "track_ids": track_ids,
        "answers": [
            dataclasses.asdict(answer) | {"seen": dataclasses.asdict(answer.seen) | {"ids": sorted(answer.seen.ids)}}
            for answer in intent.answers
        ],
    }
