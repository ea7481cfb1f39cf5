"""Ways to break the contract, to see that the cases notice in every language."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from payorch.testing.catalogue import Failure
from payorch.v1 import call_pb2

from programs.clients.broken_contract import changed_reason, dropped_trailer


@contextmanager
def wrong_advice() -> Iterator[None]:
    """Advise to resend whatever happened."""
    original = Failure.advice
    Failure.advice = lambda _failure, _rpc: call_pb2.ADVICE_RESEND_SAME_REQUEST_ID  # type: ignore[method-assign] # that is the breach
    try:
        yield
    finally:
        Failure.advice = original  # type: ignore[method-assign] # as it was


@dataclass(frozen=True, slots=True)
class Breach:
    """A way to break the contract, and the case that has to fail."""

    breaking: Callable[[], Any]
    case: str


BROKEN: Final = {
    "changed reason": Breach(changed_reason, "account that does not exist"),
    "dropped trailer": Breach(dropped_trailer, "account that does not exist"),
    "wrong advice": Breach(wrong_advice, "advice to correct the request"),
}
