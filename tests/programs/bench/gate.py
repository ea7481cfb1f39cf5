"""Whether the cost of a call has grown: its ratio to the bare floors beside the recorded one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

RECORD: Final = Path(__file__).with_name("gate.json")
TOLERANCE: Final = 0.4
"""By what share a ratio may exceed the recorded one: medians of short runs on shared machines differ by half of it."""


class Recorded(msgspec.Struct, frozen=True):
    """A ratio as it was."""

    ratio: str
    in_flight: int
    value: float
    measured: str
    """How, when and on what."""

    @property
    def limit(self) -> float:
        """The largest ratio that passes."""
        return self.value * (1 + TOLERANCE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided."""

    passed: bool
    text: str


def recorded() -> Recorded:
    """Return what the repository records."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Recorded)


def judge(record: Recorded, value: float, measure_again: Callable[[], float]) -> Verdict:
    """Compare a ratio with the recorded one; one that is too large is measured once more before it fails.

    Args:
        record: The ratio as it was.
        value: The ratio as it is.
        measure_again: Measures it a second time.
    """
    measured = [value]
    if value > record.limit:
        measured.append(measure_again())
    figures = " and then ".join(f"{ratio:.2f}" for ratio in measured)
    passed = measured[-1] <= record.limit
    text = (
        f"gate: {record.ratio} at {record.in_flight} in flight is {figures}; "
        f"{record.value:.2f} is recorded, at most {record.limit:.2f} {'passes' if passed else 'would pass'}"
    )
    return Verdict(passed, text)
