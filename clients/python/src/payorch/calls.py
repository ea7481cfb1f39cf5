"""What every call gets before it is sent, whether it is waited for by a thread or by a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from payorch.identifiers import current_track_id, new_request_id

try:
    from opentelemetry import propagate
except ImportError:  # The extra `tracing` brings it; without it calls carry no trace context.
    propagate = None  # type: ignore[assignment] # the module is optional

DEADLINE_S: Final = 20.0
"""Unless told otherwise; the service ends no call later than after 55 s."""
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sending:
    """A call as it goes out."""

    request_id: str
    metadata: Metadata
    timeout_s: float


def named(request: Any) -> Any:
    """Return a request that opens an intent; one without a request id is given a fresh one.

    In place, so that sending the same object again is a resend. Not for a question about an intent: it would be told,
    truly, that nothing is known of the fresh one.
    """
    if not request.request_id:
        request.request_id = new_request_id()
    return request


def prepared(request: Any, *, deadline_s: float | None, token: str) -> Sending:
    """Return what goes with a request.

    Args:
        request: What is sent.
        deadline_s: From now; None: the default.
        token: Of the caller; empty: none.
    """
    carried: dict[str, str] = {}
    if propagate is not None:
        propagate.inject(carried)
    return Sending(
        request_id=request.request_id,
        metadata=_metadata(carried, token),
        timeout_s=DEADLINE_S if deadline_s is None else deadline_s,
    )


def _metadata(carried: Mapping[str, str], token: str) -> Metadata:
    ours = {"zuora-track-id": current_track_id(), "authorization": f"Bearer {token}" if token else ""}
    return tuple((key, value) for key, value in {**carried, **ours}.items() if value)
