"""What is wrong with an answer, and how large it was."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from programs.clients.cases import TRACK_ID, Case

Answer = Mapping[str, Any]
"""What a program read in one error."""

_MAX_STATUS_BYTES: Final = 3 * 1024
_MAX_TRAILER_BYTES: Final = 4 * 1024
_MAX_WIRE_BYTES: Final = 8 * 1024
"""Past it gRPC replaces an error by one of its own."""
# RFC 9113 counts 32 bytes beside name and value of each header.
_HEADER_BYTES: Final = 32
_DETAILS: Final = "grpc-status-details-bin"
_OURS: Final = (_DETAILS, "payorch-advice", "payorch-outcome", "zuora-track-id")


def problems_with(case: Case, answer: Answer) -> list[str]:
    """Return what is wrong with an answer."""
    differences = [
        f"{name} is {answer.get(name)!r}, not {expected!r}"
        for name, expected in case.told.items()
        if answer.get(name) != expected
    ]
    # An answer without details has nothing else to compare.
    return differences or [*_wrong_violations(case, answer), *_wrong_trailers(case, answer)]


def _wrong_violations(case: Case, answer: Answer) -> list[str]:
    shown = answer["violations"]
    omitted = int(answer["metadata"].get("violationsOmitted", "0"))
    wrong = []
    if len(shown) not in case.shown:
        wrong.append(f"{len(shown)} violations are shown, not {case.shown.start} to {case.shown.stop - 1}")
    # Those of one field and one rule come in any order.
    if _places(shown) != _places(case.violations[: len(shown)]) or any(
        violation not in case.violations for violation in shown
    ):
        wrong.append("the violations shown are not the first ones")
    if len(shown) + omitted != len(case.violations):
        wrong.append(f"{len(shown)} violations and {omitted} omitted ones are not {len(case.violations)}")
    return wrong


def _places(violations: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return [violation[:2] for violation in violations]


def _wrong_trailers(case: Case, answer: Answer) -> list[str]:
    trailers = answer["trailers"]
    plain = {
        "payorch-advice": [case.told["advice"].removeprefix("ADVICE_")],
        "payorch-outcome": [case.told["outcome"].removeprefix("OUTCOME_")],
        "zuora-track-id": [TRACK_ID],
    }
    wrong = [f"trailer {name} is {trailers.get(name)}" for name, texts in plain.items() if trailers.get(name) != texts]
    for name, size, limit in (
        ("status", _status_bytes(answer), _MAX_STATUS_BYTES),
        ("trailers", _trailer_bytes(answer), _MAX_TRAILER_BYTES),
        ("trailers in base64", _wire_bytes(answer), _MAX_WIRE_BYTES),
    ):
        if size > limit:
            wrong.append(f"{size} bytes of {name}, more than {limit}")
    return wrong


def _status_bytes(answer: Answer) -> int:
    return len(base64.b64decode("".join(answer.get("trailers", {}).get(_DETAILS, ()))))


def _trailer_bytes(answer: Answer) -> int:
    """Count the trailers as HTTP/2 does, the status before it is made base64."""
    encoded = len("".join(answer.get("trailers", {}).get(_DETAILS, ())))
    return _wire_bytes(answer) - encoded + _status_bytes(answer)


def _wire_bytes(answer: Answer) -> int:
    """Count the trailers as HTTP/2 does, before its compression."""
    pairs = [(name, text) for name, texts in answer.get("trailers", {}).items() if name in _OURS for text in texts]
    pairs += [("grpc-status", str(answer["code"])), ("grpc-message", answer.get("message", ""))]
    return sum(len(name) + len(text) + _HEADER_BYTES for name, text in pairs)


def table(
    tried: Sequence[Case], answers: Mapping[str, Sequence[Answer]], problems: Mapping[tuple[str, str], Sequence[str]]
) -> str:
    """Return a table of cases, languages and sizes in bytes."""
    languages = list(answers)
    rows = [("case", *languages, "violations", "status", "trailers", "in base64")]
    for index, case in enumerate(tried):
        verdicts = ["differs" if problems[case.name, language] else "same" for language in languages]
        answer = answers[languages[0]][index]
        sizes = (_status_bytes(answer), _trailer_bytes(answer), _wire_bytes(answer))
        shown = f"{len(answer.get('violations', ()))} of {len(case.violations)}"
        rows.append((case.name, *verdicts, shown, *map(str, sizes)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) if place == 0 else text.rjust(width) for place, (text, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    )
