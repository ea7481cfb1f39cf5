"""The use case CreateSession."""

from dataclasses import dataclass
from typing import ClassVar

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.messages import Call
from payorch_server.zuora.resources import sessions
from payorch_server.zuora.settings import TenantSettings


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Create a payment session."""

    intent: Intent
    session: sessions.SessionRequest


async def create_session(
    command: CreateSession, *, context: CallContext, dispatcher: Dispatcher, max_age_s: float
) -> CallResult[Secret[str]]:
    """Create a payment session and return its token.

    Args:
        command: What the session is for.
        context: Track-Id, deadline and namespace.
        dispatcher: Runs the call.
        max_age_s: How old a session may be to be handed out again.

    Raises:
        CallError: With any outcome.
    """
    operation = SessionCreation(
        session=command.session, moves_money=False, needs_record=False, is_disposable=True, stale_after_s=max_age_s
    )
    return await dispatcher.run(command.intent, context, operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreation(ZuoraOperation[Secret[str]]):
    """Zuora's operation that creates a session; an unused session costs nothing."""

    result_type: ClassVar = Secret[str]
    session: sessions.SessionRequest

    def build(self, route: Route, tenant: TenantSettings) -> Call:
        """Return the call for a route."""
        return sessions.build(self.session, route=route, tenant=tenant)

    def parse(self, reply: ZuoraReply) -> Secret[str]:
        """Return the token of the session."""
        return sessions.parse(reply)

    def ids_of(self, _value: Secret[str]) -> UpstreamEvidence:
        """Return nothing: a session that was not redeemed is no object of Zuora's."""
        return UpstreamEvidence()
