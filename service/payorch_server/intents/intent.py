"""An intent as one call wants it executed, what it executes, and its successful end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from payorch_server.model.attempt import UpstreamFacts, ZuoraReply
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
    """Keyed hashes of a request's set fields, under one key; never the fields themselves."""

    key_id: str
    """After the form, unless it is the first."""
    plain: Mapping[str, str]
    """Path of each field that is not sensitive, to its hash."""
    sensitive: str
    """One hash over all sensitive fields."""


def differences(recorded: Fingerprint, requested: Fingerprint) -> tuple[str, ...]:
    """Return the paths in which two requests differ; both hashed under the same key, in the same form."""
    every_path = recorded.plain.keys() | requested.plain.keys()
    paths = {path for path in every_path if recorded.plain.get(path) != requested.plain.get(path)}
    if recorded.sensitive != requested.sensitive:
        paths.add(SENSITIVE)
    return tuple(sorted(paths))


class RequestFingerprints(ABC):
    """What distinguishes a request from others. Implemented by `rpc.request_fingerprint.HashedRequest`."""

    @property
    @abstractmethod
    def written(self) -> Fingerprint:
        """The fingerprint for a record."""

    @abstractmethod
    def differences(self, recorded: Fingerprint) -> tuple[str, ...] | None:
        """Return the paths in which the recorded request differs; None if they cannot be compared."""


class IntentOperation(ABC, Generic[T]):
    """What an intent executes, for one caller. Implemented by `usecases.routed_operation.RoutedOperation`."""

    moves_money: bool
    """Whether it pays, so that it is never sent before its one-time token was guarded."""
    needs_record: bool
    """Whether it is refused while the store cannot be reached."""
    is_disposable: bool
    """Whether an unused result costs nothing, so that a second one does no harm."""
    result_type: Any
    """Of what parse returns, to read a recorded result."""
    guarded_token: str
    """Names the one-time token in it; empty if there is none."""
    stale_after_s: float | None
    """Age from which its recorded success is of no use; None: never."""

    @abstractmethod
    def permit(self, route: Route) -> None:
        """Refuse the caller if it may not see or continue the intent on a route.

        Raises:
            CallError: The right is missing; NOT_SENT.
        """

    @abstractmethod
    def route_exists(self, route: Route) -> bool:
        """Return whether a route that was pinned earlier is still configured."""

    @abstractmethod
    def zuora_now_s(self, route: Route) -> float | None:
        """Return Zuora's time now, Unix time, as far as the answers on a route have shown it."""

    @abstractmethod
    async def send(self, route: Route, context: CallContext, earlier: EarlierSends) -> ZuoraReply:
        """Send it on a route under its one key.

        Args:
            route: Pinned by the record.
            context: Its deadline is that of the execution, not the caller's.
            earlier: What is known of sends before this execution.

        Raises:
            CallError: With the outcome of all attempts.
        """

    @abstractmethod
    def parse(self, reply: ZuoraReply) -> T:
        """Return the result in a successful reply.

        Raises:
            CallError: The reply lacks what it promises; UNKNOWN.
        """

    @abstractmethod
    def ids_of(self, value: T) -> UpstreamEvidence:
        """Return the ids of what exists because of a result."""


@dataclass(frozen=True, slots=True)
class IntentRequest(Generic[T]):
    """An intent as one call wants it opened, joined or replayed."""

    key: IdempotencyKey
    rpc: str
    request_id: RequestId
    fingerprints: RequestFingerprints
    route: Route | CallError
    """Where it goes if it is new, or why it can go nowhere; an intent that was opened before keeps its own route."""
    operation: IntentOperation[T]


@dataclass(frozen=True, slots=True)
class IntentResult(Generic[T]):
    """The successful end of an intent."""

    value: T
    route: Route
    facts: UpstreamFacts
    first_sent_at: datetime
    replayed: bool
    """Whether it had ended before this call."""


def require_same_request(recorded: Fingerprint, request: IntentRequest[Any]) -> None:
    """Refuse a request that differs from the one the intent was opened with.

    Args:
        recorded: The fingerprint of that one.
        request: What the call sent.

    Raises:
        CallError: INTENT_MISMATCH with the paths that differ, or INTENT_EXPIRED if they cannot be compared.
    """
    paths = request.fingerprints.differences(recorded)
    if paths is None:
        detail = "its fingerprint has a key that is not configured, or a form that this version does not know"
        raise call_error(Reason.INTENT_EXPIRED, detail)
    if paths:
        description = (
            "differs from the request that this request_id was first used for; a changed request is a new intent"
        )
        violations = tuple(Violation(path, "intent.same", description) for path in paths)
        raise error_for(Failure(Reason.INTENT_MISMATCH, f"differs in {', '.join(paths)}", violations=violations))


def unreadable(cause: Exception, request: IntentRequest[Any]) -> CallError:
    """Return the error for an intent whose record is there and cannot be read."""
    return record_unreadable(cause, key=request.key, rpc=request.rpc, request_id=request.request_id)


def record_unreadable(cause: Exception, *, key: IdempotencyKey, rpc: str, request_id: RequestId) -> CallError:
    """Return the error for an intent whose record is there and cannot be read.

    Nothing was sent, and any end is possible.

    Args:
        cause: Why it cannot be read.
        key: Of the intent, for operators to find its record by.
        rpc: Name of the RPC.
        request_id: The caller's name for the intent.
    """
    detail = f"the record of {key} cannot be read: {cause}"
    return error_for(Failure(Reason.INTENT_RECORD_UNREADABLE, detail, metadata={"requestId": request_id}, rpc=rpc))


def still_running(detail: str, until: datetime) -> CallError:
    """Return the error for a caller that leaves before the execution has ended.

    Args:
        detail: For operators.
        until: When resends stop being safe, UTC.
    """
    return error_for(Failure(Reason.STILL_RUNNING, detail, resend_before=until))
