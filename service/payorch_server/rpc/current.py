"""The call being served, in a context variable."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from payorch_server.model.caller import UNIDENTIFIED, Caller
from payorch_server.model.context import CallContext
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
    """Set the call being served."""
    _ACTIVE_CALL.set(call)
