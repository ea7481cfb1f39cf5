from dataclasses import dataclass

from payorch_server.model.caller import Caller
from payorch_server.model.identifiers import TrackId


@dataclass(frozen=True, slots=True)
class CallContext:
    """What travels with one call from the edge to the wire."""

    track_id: TrackId
    deadline_s: float
    """Absolute, on the monotonic clock."""
    caller: Caller

    @property
    def namespace(self) -> str:
        """Whose intents the call may name."""
        return self.caller.namespace
