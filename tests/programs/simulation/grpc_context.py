"""What stands in for gRPC: a call's context, and what its caller sees in the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from payorch.v1 import call_pb2

RESEND = "RESEND_SAME_REQUEST_ID"
NEW = "USE_NEW_REQUEST_ID"
FIX = "FIX_REQUEST"
LOOK_UP = "LOOK_UP"


class Aborted(Exception):  # noqa: N818 - as in grpc.aio
    """Ends a handler after `abort`."""


class Context:
    """A servicer context."""

    def __init__(self, *, time: Callable[[], float], timeout_s: float | None, metadata: Mapping[str, str]) -> None:
        self._time = time
        self._until_s = None if timeout_s is None else time() + timeout_s
        self._metadata = tuple(metadata.items())
        self.code: grpc.StatusCode | None = None
        self.trailers: tuple[tuple[str, Any], ...] = ()

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what the caller sent along."""
        return self._metadata

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Return what is known of the connection's other end."""
        return {}

    def peer(self) -> str:
        """Return the address of the connection's other end."""
        return "unix:"

    def time_remaining(self) -> float | None:
        """Return the seconds before the caller's deadline."""
        return None if self._until_s is None else self._until_s - self._time()

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Take the initial metadata."""

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Take the trailers of a success."""

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: Any = ()) -> None:
        """End the call with an error."""
        del details
        self.code, self.trailers = code, tuple(trailing_metadata)
        raise Aborted


@dataclass(slots=True)
class Seen:
    """What a caller knows after its call."""

    outcome: str
    advice: str
    reason: str = ""
    ids: frozenset[str] = frozenset()
    """Of objects that the answer names."""
    resend_before_s: float | None = None
    """Unix time."""
    replayed: bool = False


CONNECTION_LOST = Seen("UNKNOWN", RESEND, "(no answer)")
"""What an error without details means."""


def seen_error(context: Context) -> Seen:
    """Return what an aborted call tells its caller."""
    trailers = dict(context.trailers)
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, outcome = error_details_pb2.ErrorInfo(), call_pb2.CallOutcome()
    for detail in status.details:
        if not detail.Unpack(info):
            detail.Unpack(outcome)
    named = call_pb2.Outcome.Name(outcome.outcome).removeprefix("OUTCOME_")
    if trailers["payorch-outcome"] != named:
        raise AssertionError(f"The trailer says {trailers['payorch-outcome']} and the details {named}.")
    existing = outcome.existing
    return Seen(
        outcome=named,
        advice=call_pb2.Advice.Name(outcome.advice).removeprefix("ADVICE_"),
        reason=info.reason,
        ids=frozenset({existing.payment_method_id, existing.payment_id} - {""}),
        resend_before_s=outcome.resend_before_time.seconds if outcome.HasField("resend_before_time") else None,
    )
