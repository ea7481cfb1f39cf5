from collections.abc import Mapping
from dataclasses import dataclass, field

from payorch_server.model.caller import Caller
from payorch_server.model.identifiers import TrackId
from payorch_server.model.route import Route


@dataclass(slots=True)
class RouteNote:
    """The route of a call as soon as it has one, for whoever tells how the call ended."""

    route: Route | None = None

    def told(self) -> Mapping[str, str]:
        """Return what a log line or span says of it: nothing before there is a route."""
        if self.route is None:
            return {}
        route = self.route
        return {"tenant": route.tenant, "entity": route.entity, "rule": route.rule, "policy_hash": route.policy_hash}


@dataclass(frozen=True, slots=True)
class CallContext:
    """What travels with one call from the edge to the wire."""

    track_id: TrackId
    deadline_s: float
    """Absolute, on the monotonic clock."""
    caller: Caller
    note: RouteNote = field(default_factory=RouteNote, compare=False, repr=False)
    """The one thing here that changes; copies of a context share it."""

    @property
    def namespace(self) -> str:
        """Whose intents the call may name."""
        return self.caller.namespace
