"""What is known of the call that is being served, for whatever serves it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from payorch_server.model.context import CallContext
from payorch_server.orchestration.policy import Policy


@dataclass(frozen=True, slots=True)
class Current:
    """The call and the policy that decides it, from its start to its end."""

    context: CallContext
    policy: Policy


_CURRENT: Final[ContextVar[Current]] = ContextVar("payorch_current")


def current() -> Current:
    """Return what is known of the call that is being served."""
    return _CURRENT.get()


def set_current(now: Current) -> None:
    """Note what is known of the call that is being served."""
    _CURRENT.set(now)
