"""What is noted while a call is served, for its record."""

from dataclasses import dataclass, field

from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.route import Route


@dataclass(frozen=True, slots=True)
class RouteNames:
    """The names of a call's route in the policy; all empty when it was not routed."""

    tenant: str = ""
    entity: str = ""
    orgs: tuple[str, ...] = ()
    gateway: str = ""
    rule: str = ""
    policy_hash: str = ""

    @classmethod
    def of(cls, route: Route) -> "RouteNames":
        """Return the names of a route."""
        return cls(route.tenant, route.entity, route.orgs, route.gateway.name, route.rule, route.policy_hash)


@dataclass(slots=True)
class CallNotes:
    """The notes of one call. Copies of a context share them."""

    trace_id: str = ""
    route: RouteNames = field(default_factory=RouteNames)
    intent: str = ""
    phases_s: dict[str, float] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    executed_track_id: str = ""
    zuora_request_id: str = ""
    zuora_process_id: str = ""
    evidence: UpstreamEvidence = field(default_factory=UpstreamEvidence)
    """Of a success; a failure carries its own."""
    sent_before: bool = False
    """Whether an earlier call of the intent may have been sent, as this process or the metadata of gRPC shows."""
    intent_read: bool = False
    """Whether the end of the call takes the record of its intent into account."""
    request_id: str = ""
    """As it is shown and recorded; empty where there is none, or none that is valid."""

    def note_success(self, facts: UpstreamFacts, exists: UpstreamEvidence) -> None:
        """Note what a success looked like at Zuora's side."""
        self.attempts = facts.attempts
        self.executed_track_id = facts.echoed_track_id
        self.zuora_request_id, self.zuora_process_id = facts.zuora_request_id, facts.zuora_process_id
        self.evidence = exists

    def add_phase(self, phase: str, seconds: float) -> None:
        """Add to a phase."""
        self.phases_s[phase] = self.phases_s.get(phase, 0.0) + seconds
