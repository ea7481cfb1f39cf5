"""The context of a call."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from payorch_server.model.call_notes import CallNotes
from payorch_server.model.caller import Caller
from payorch_server.model.identifiers import TrackId


class WaitingCalls:
    """The calls that wait for one execution, by their deadlines; they come and go while it lasts."""

    def __init__(self) -> None:
        self._deadlines_s: list[float] = []

    def __repr__(self) -> str:
        return f"WaitingCalls({len(self._deadlines_s)})"

    @property
    def latest_deadline_s(self) -> float:
        """The latest of their deadlines on the monotonic clock; minus infinity where none waits."""
        return max(self._deadlines_s, default=-math.inf)

    @contextlib.contextmanager
    def include(self, deadline_s: float) -> Iterator[None]:
        """Count a call among them for as long as it waits."""
        self._deadlines_s.append(deadline_s)
        try:
            yield
        finally:
            self._deadlines_s.remove(deadline_s)


@dataclass(frozen=True, slots=True)
class CallContext:
    """What belongs to a call on its way from the gRPC port to Zuora."""

    track_id: TrackId
    """As it is shown and recorded: the caller's, or a keyed hash of one that looks like a secret."""
    deadline_s: float
    """Absolute, on the monotonic clock."""
    caller: Caller
    notes: CallNotes = field(default_factory=CallNotes, compare=False, repr=False)
    """The only member that changes; copies of a context share it."""

    waiting: WaitingCalls | None = field(default=None, compare=False, repr=False)
    """The calls that wait for the execution this context is of; None outside an execution: the call itself waits."""
    given_track_id: TrackId | None = field(default=None, repr=False)
    """The caller's own, where it is shown as a hash."""

    def of_caller(self, caller: Caller) -> "CallContext":
        """Return the context of the same call, whose caller is known."""
        return CallContext(
            self.track_id, self.deadline_s, caller, self.notes, self.waiting, given_track_id=self.given_track_id
        )

    @property
    def track_id_on_wire(self) -> TrackId:
        """The Track-Id for Zuora and for the caller."""
        return self.given_track_id or self.track_id

    @property
    def awaited_until_s(self) -> float:
        """Until when a call waits for the result, on the monotonic clock; minus infinity where none waits."""
        return self.deadline_s if self.waiting is None else min(self.deadline_s, self.waiting.latest_deadline_s)

    @property
    def namespace(self) -> str:
        """Whose intents the call may name."""
        return self.caller.namespace

    def log_fields(self) -> dict[str, str]:
        """Return what names the call in every log line about it, as far as it is known."""
        fields = {
            "track_id": self.track_id,
            "request_id": self.notes.request_id,
            "trace_id": self.notes.trace_id,
            "caller": self.caller.identity,
            "namespace": self.caller.namespace,
            "tenant": self.notes.route.tenant,
        }
        return {name: value for name, value in fields.items() if value}
