"""What every line about a call says of it, whichever task writes the line.

It is bound where the call begins. A task and a callback begin with a copy of the context variables of the code that
starts them, so they inherit it. Work that many calls share is started without: `TaskOwner.start_shared`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol


class LogContext(Protocol):
    """A call that lines are about. What it says is asked for when a line is written: more becomes known of a call."""

    def log_fields(self) -> Mapping[str, Any]:
        """Return the fields that name the call: ids, who called, and where it goes. Unknown ones are left out."""
        ...


_BOUND: Final[ContextVar[LogContext | None]] = ContextVar("payorch_log_context", default=None)


def bind_log_context(context: LogContext) -> None:
    """Have every line that this task and those that it starts write from now on say which call it is about."""
    _BOUND.set(context)


@contextmanager
def log_context(context: LogContext) -> Iterator[None]:
    """Bind a context to the code inside, in a task that serves one request after another."""
    token = _BOUND.set(context)
    try:
        yield
    finally:
        _BOUND.reset(token)


def bound_fields() -> Mapping[str, Any]:
    """Return the fields of the call that this task works for; none if it works for no call, or for several."""
    bound = _BOUND.get()
    return bound.log_fields() if bound else {}
