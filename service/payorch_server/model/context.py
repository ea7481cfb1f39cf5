"""The context of a call."""

from dataclasses import dataclass, field

from payorch_server.model.call_record import CallNotes
from payorch_server.model.caller import Caller
from payorch_server.model.identifiers import TrackId


@dataclass(frozen=True, slots=True)
class CallContext:
    """What belongs to a call on its way from the gRPC port to Zuora."""

    track_id: TrackId
    deadline_s: float
    """Absolute, on the monotonic clock."""
    caller: Caller
    notes: CallNotes = field(default_factory=CallNotes, compare=False, repr=False)
    """The only member that changes; copies of a context share it."""

    @property
    def namespace(self) -> str:
        """Whose intents the call may name."""
        return self.caller.namespace
