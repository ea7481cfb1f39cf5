"""The policy: a frozen value, replaced as a whole, so that every call sees one state of it."""

from dataclasses import dataclass, field

from payorch_server.access.callers import AccessTable
from payorch_server.calls.settings import VerboseSettings
from payorch_server.model.context import CallContext
from payorch_server.usecases.dispatcher import Dispatcher


@dataclass(frozen=True, slots=True)
class Policy:
    """The rights of callers, the routing of calls with its credentials, and what is logged of them."""

    access: AccessTable
    dispatcher: Dispatcher
    verbose: VerboseSettings = field(default_factory=VerboseSettings)

    def is_verbose(self, context: CallContext) -> bool:
        """Return whether request and response of a call are written to the log, redacted."""
        verbose, track_id = self.verbose, context.track_id_on_wire
        return context.caller.identity in verbose.callers or track_id.startswith(verbose.track_id_prefixes)


class LivePolicy:
    """The policy in force."""

    def __init__(self, policy: Policy) -> None:
        self.current = policy

    @property
    def hash(self) -> str:
        """Short hash of the routing policy, which changes whenever a decision could."""
        return self.current.dispatcher.routing.policy_hash

    def __repr__(self) -> str:
        return f"LivePolicy({self.current!r})"
