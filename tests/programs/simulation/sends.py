"""The requests of a run, as the auditor looks at them."""

import enum
import math
from dataclasses import dataclass, field


class Proof(enum.Enum):
    """What the end of a send proves."""

    NONE = enum.auto()
    """Nothing: it may have been executed."""
    UNSENT = enum.auto()
    """That it did not reach Zuora, or was turned away before anything was done."""


@dataclass(slots=True)
class Send:
    """One request on its way."""

    number: int
    time_s: float
    instance: str
    host: str
    operation: str
    key: str
    track_id: str
    meant: str
    """Hash of host, entity and body: what Zuora would execute."""
    place: str
    """Host and entity."""
    informed: bool
    """Whether an answer of the host had shown its instance the time."""
    arrived_s: float | None = None
    ended_s: float = math.inf
    """When its instance had the answer, or knew that none comes."""
    wait_s: float = 0.0
    """What the answer demanded."""
    proof: Proof = Proof.NONE
    """What its instance learned of it."""
    refused: bool = False
    """Whether a whole answer of Zuora's refused it."""


@dataclass(slots=True)
class Sends:
    """All requests of a run."""

    all: list[Send] = field(default_factory=list)
    by_request_id: dict[str, Send] = field(default_factory=dict)
    """By the Zuora-Request-Id of the answer."""
    open: dict[str, list[Send]] = field(default_factory=dict)
    """By key: those that an instance now waits for."""
    overlaps: list[tuple[Send, Send]] = field(default_factory=list)
    """An earlier one and a later one of the same key that were open together."""
