"""A service that breaks its contract in one way, to see that every language's program notices."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from payorch_server.rpc.interceptors import boundary

_DETAILS_KEY: Final = "grpc-status-details-bin"


@contextmanager
def _in_place_of(holder: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    original = getattr(holder, name)
    setattr(holder, name, make(original))
    try:
        yield
    finally:
        setattr(holder, name, original)


def changed_reason() -> Any:
    """Give every error a reason that the contract has for something else."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def status_of(*arguments: Any, **named: Any) -> Any:
            status = original(*arguments, **named)
            for detail in status.details:
                detail.value = detail.value.replace(b"UPSTREAM_NOT_FOUND", b"UPSTREAM_NOT_FOUMD")
            return status

        return status_of

    return _in_place_of(boundary, "status_of", make)


def dropped_trailer() -> Any:
    """Send errors without the details that carry outcome and advice, as a proxy might."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def to_status(status: Any) -> Any:
            full = original(status)
            left = tuple(pair for pair in full.trailing_metadata or () if pair[0] != _DETAILS_KEY)
            return full._replace(trailing_metadata=left)

        return to_status

    return _in_place_of(boundary.rpc_status, "to_status", make)


@dataclass(frozen=True, slots=True)
class Breach:
    """A way to break the contract, and what a program must find wrong with the error, and with nothing else."""

    breaking: Callable[[], Any]
    members: frozenset[str]


BROKEN: Final = {
    "changed reason": Breach(changed_reason, frozenset({"reason"})),
    "dropped trailer": Breach(dropped_trailer, frozenset({"reason", "outcome", "advice", "track_id", "zuora_codes"})),
}
