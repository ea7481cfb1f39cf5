from dataclasses import dataclass

from payorch_server.model.identifiers import TrackId


@dataclass(frozen=True, slots=True)
class CallContext:
    """What travels with one call from the edge to the wire."""

    track_id: TrackId
    deadline_s: float
    """Absolute, on the monotonic clock."""
    namespace: str
    """Whose intents the call may name."""
