from dataclasses import dataclass

from payorch_server.model.context import CallContext
from payorch_server.model.secret import Secret
from payorch_server.orchestration.dispatch import Dispatcher, Done, Intent
from payorch_server.zuora.resources import sessions


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Create a payment session."""

    intent: Intent
    session: sessions.SessionRequest


async def create_session(command: CreateSession, *, context: CallContext, dispatcher: Dispatcher) -> Done[Secret[str]]:
    """Create a payment session and return its token.

    Raises:
        CallError: Any of its kinds.
    """
    return await dispatcher.run(
        command.intent,
        context,
        build=lambda route, tenant: sessions.build(command.session, route=route, tenant=tenant),
        parse=sessions.parse,
    )
