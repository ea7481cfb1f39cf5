from dataclasses import dataclass

from payorch_server.model.context import CallContext
from payorch_server.model.errors import Evidence
from payorch_server.model.secret import Secret
from payorch_server.usecases.dispatcher import Dispatcher, Done, Intent, Work
from payorch_server.zuora.resources import sessions


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Create a payment session."""

    intent: Intent
    session: sessions.SessionRequest


async def create_session(
    command: CreateSession, *, context: CallContext, dispatcher: Dispatcher, max_age_s: float
) -> Done[Secret[str]]:
    """Create a payment session and return its token.

    Args:
        command: What the session is for.
        context: Track-Id, deadline and namespace.
        dispatcher: Runs the call.
        max_age_s: How old a session may be to be handed out again.

    Raises:
        CallError: Any of its kinds.
    """
    work = Work(
        build=lambda route, tenant: sessions.build(command.session, route=route, tenant=tenant),
        parse=sessions.parse,
        result_type=Secret[str],
        ids_of=lambda _token: Evidence(),
        moves_money=False,
        free_to_repeat=True,
        stale_after_s=max_age_s,
    )
    return await dispatcher.run(command.intent, context, work)
