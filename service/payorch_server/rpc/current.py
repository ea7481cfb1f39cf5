"""What is known of the call that is being served, for whatever serves it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from payorch_server.model.caller import UNIDENTIFIED, Caller
from payorch_server.model.context import CallContext
from payorch_server.usecases.policy import Policy


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """The call and the policy that decides it, from its start to its end."""

    context: CallContext
    policy: Policy


_CURRENT: Final[ContextVar[ActiveCall]] = ContextVar("payorch_current")


def active_call() -> ActiveCall:
    """Return what is known of the call that is being served."""
    return _CURRENT.get()


def current_caller() -> Caller:
    """Return who makes the call that is being served, as far as that is known."""
    now = _CURRENT.get(None)
    return now.context.caller if now else UNIDENTIFIED


def set_active_call(now: ActiveCall) -> None:
    """Note what is known of the call that is being served."""
    _CURRENT.set(now)
