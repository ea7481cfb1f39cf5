"""Attempts at Zuora, and what callers and previews show of a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from payorch_server.model.identifiers import TrackId
from payorch_server.model.outcome import Outcome
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.model.shown_forms import shown_id, shown_track_id


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send to Zuora, reported in results and errors."""

    ordinal: int
    """1 for the first send of a call."""
    http_status: int
    """0 when there was no answer."""
    zuora_request_id: str
    """Zuora-Request-Id of the answer; empty when there was none."""
    started_at: datetime
    """UTC."""
    duration_s: float
    outcome: Outcome
    """What this attempt alone would mean."""

    def __post_init__(self) -> None:
        """Keep no id but in a known form."""
        object.__setattr__(self, "zuora_request_id", shown_id(self.zuora_request_id))


@dataclass(frozen=True, slots=True)
class UpstreamFacts:
    """What is known of a call at Zuora, whatever its outcome."""

    attempts: tuple[Attempt, ...] = ()
    zuora_request_id: str = ""
    zuora_process_id: str = ""
    echoed_track_id: str = ""
    """Zuora-Track-Id of the answer: that of the call which executed the intent."""
    answer_ids: tuple[Secret[str], ...] = ()
    """Zuora-Request-Id and processId of the answer as Zuora sent them, to be compared and never shown."""

    def __post_init__(self) -> None:
        """Keep no id but in a known form."""
        object.__setattr__(self, "zuora_request_id", shown_id(self.zuora_request_id))
        object.__setattr__(self, "zuora_process_id", shown_id(self.zuora_process_id))
        object.__setattr__(self, "echoed_track_id", shown_track_id(self.echoed_track_id))


@dataclass(frozen=True, slots=True)
class ZuoraReply:
    """A successful answer of Zuora, decoded, with everything that is known about the call."""

    status: int
    payload: Mapping[str, Any] = field(repr=False)
    """The JSON object; fractional numbers are Decimal."""
    facts: UpstreamFacts = field(default_factory=UpstreamFacts)


@dataclass(frozen=True, slots=True)
class CallReport:
    """What a caller receives about its call besides the result."""

    track_id: TrackId = field(repr=False)
    """As the caller gave it."""
    route: Route
    facts: UpstreamFacts = UpstreamFacts()
    first_sent_at: datetime | None = None
    """When the first send of the intent started, UTC."""
    replayed: bool | None = None
    """Whether the answer was made for an earlier call; None if that is not known."""


@dataclass(frozen=True, slots=True)
class UpstreamPreview:
    """The request that would be sent, every secret replaced."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str = field(repr=False)
    """JSON; it contains names that the caller chose."""
