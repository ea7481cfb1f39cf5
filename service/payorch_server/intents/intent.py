"""An intent about to be opened, and its end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, Violation, call_error, error_for
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route

T = TypeVar("T")


SENSITIVE: Final = "(a sensitive field)"
"""How a difference in any sensitive field is named."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Keyed hashes of a request's set fields, under one key."""

    key_id: str
    plain: Mapping[str, str]
    """Path of each field that is not sensitive to 16 hexadecimal digits."""
    sensitive: str
    """One hash over all sensitive fields: 32 hexadecimal digits."""


def differences(one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
    """Return the paths in which two requests differ; both hashed under the same key."""
    paths = {path for path in one.plain.keys() | other.plain.keys() if one.plain.get(path) != other.plain.get(path)}
    if one.sensitive != other.sensitive:
        paths.add(SENSITIVE)
    return tuple(sorted(paths))


@dataclass(frozen=True, slots=True)
class IntentExecution(Generic[T]):
    """An intent about to be opened, joined or replayed."""

    key: IdempotencyKey
    rpc: str
    request_id: RequestId
    fingerprints: Mapping[str, Fingerprint]
    """By key id, the key in use first."""
    route: Route | CallError
    """Where it goes if it is new, or why it can go nowhere; an intent that was opened before keeps its own route."""
    send: Callable[[Route, CallContext, EarlierSends], Awaitable[tuple[T, UpstreamFacts]]]
    """Executes it on a route."""
    permit: Callable[[Route], None]
    """Refuses the caller if it may not see or go on with the intent on a route."""
    route_exists: Callable[[Route], bool]
    """Tells whether a route that was taken earlier can still be taken."""
    result_type: Any
    ids_of: Callable[[T], UpstreamEvidence]
    """Names what exists because of a result."""
    needs_store: bool
    """Whether it may not be sent unrecorded."""
    guarded_token: str = ""
    """What names the one-time token in it; empty if there is none."""
    stale_after_s: float | None = None
    """Age from which its recorded success is of no use."""


@dataclass(frozen=True, slots=True)
class IntentResult(Generic[T]):
    """The successful end of an intent."""

    value: T
    route: Route
    facts: UpstreamFacts
    first_sent_at: datetime
    replayed: bool
    """Whether it had ended before this call."""


def require_same_request(recorded: Mapping[str, Fingerprint], opening: IntentExecution[Any]) -> None:
    """Refuse a request that differs from the one the intent was opened with."""
    comparable = next(((one, opening.fingerprints[key_id]) for key_id, one in recorded.items()
                       if key_id in opening.fingerprints), None)  # fmt: skip
    if comparable is None:
        raise call_error(Reason.INTENT_EXPIRED, "its fingerprint was made with a key that is gone")
    paths = differences(*comparable)
    if paths:
        description = (
            "differs from the request that this request_id was first used for; a changed request is a new intent"
        )
        violations = tuple(Violation(path, "intent.same", description) for path in paths)
        raise error_for(Failure(Reason.INTENT_MISMATCH, f"differs in {', '.join(paths)}", violations=violations))
