from dataclasses import dataclass

from payorch_server.model.context import CallContext
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.secret import Secret
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent, ZuoraOperation
from payorch_server.zuora.resources import sessions


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
        CallError: Any of its kinds.
    """
    work = ZuoraOperation(
        build=lambda route, tenant: sessions.build(command.session, route=route, tenant=tenant),
        parse=sessions.parse,
        result_type=Secret[str],
        ids_of=lambda _token: UpstreamEvidence(),
        moves_money=False,
        retry_with_new_key=True,
        stale_after_s=max_age_s,
    )
    return await dispatcher.run(command.intent, context, work)
