"""The call being served, in a context variable."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from payorch_server.model.caller import UNIDENTIFIED, Caller
from payorch_server.model.context import CallContext
from payorch_server.model.identifiers import parse_request_id
from payorch_server.rpc.track_ids import recorded_request_ids
from payorch_server.store.keyring import Keyring
from payorch_server.telemetry.log_context import bind_log_context
from payorch_server.usecases.policy import Policy


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """A call, and the policy that applies to it from start to end."""

    context: CallContext
    policy: Policy


_ACTIVE_CALL: Final[ContextVar[ActiveCall]] = ContextVar("payorch_active_call")


def active_call() -> ActiveCall:
    """Return the call being served.

    Raises:
        LookupError: No call is being served.
    """
    return _ACTIVE_CALL.get()


def current_caller() -> Caller:
    """Return the caller of the call being served; UNIDENTIFIED before it is identified."""
    call = _ACTIVE_CALL.get(None)
    return call.context.caller if call else UNIDENTIFIED


def set_active_call(call: ActiveCall) -> None:
    """Set the call being served; its log lines, and those of the tasks that it starts, carry its context."""
    _ACTIVE_CALL.set(call)
    bind_log_context(call.context)


def note_request_id(text: str, keyring: Keyring) -> None:
    """Note the request id of the call being served, for its record and its log lines; none if it breaks the rule.

    Args:
        text: As the caller gave it.
        keyring: Hashes a request id that looks like a secret.
    """
    if request_id := parse_request_id(text):
        active_call().context.notes.request_id = recorded_request_ids(request_id, keyring)[0]
