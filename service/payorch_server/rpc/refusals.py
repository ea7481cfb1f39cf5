"""Refusals that cost a tenth of a call: nothing is received, recorded or traced, and the status is built in advance."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc
import structlog

from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, error_for
from payorch_server.model.identifiers import TrackId, minted_track_id, parse_track_id
from payorch_server.model.operation import ROUTED_RPCS, RPCS
from payorch_server.model.outcome import Reason
from payorch_server.rpc.status import CATALOGUE, status_of, trailers_of
from payorch_server.rpc.track_ids import TRACK_ID_KEY

_LOG: Final = structlog.get_logger("payorch.rpc")
_LOG_EVERY_S: Final = 1.0
# Callers that are refused together come back one after the other.
_RETRY_S: Final = tuple(0.5 + step / 16 for step in range(16))
_PLACEHOLDER: Final = minted_track_id(0, 0)
# Source: grpc_status, which makes the same trailer of a status.
_DETAILS_KEY: Final = "grpc-status-details-bin"
_ATTEMPTS_KEY: Final = "grpc-previous-rpc-attempts"

Metadata = Sequence[tuple[str, Any]]


class _Refusal:
    """A status that is built in advance, but for the Track-Id."""

    def __init__(self, reason: Reason, detail: str, retry_s: float, **metadata: str) -> None:
        evidence = UpstreamEvidence(retry_after_s=retry_s)
        self.error: CallError = error_for(Failure(reason, detail, metadata=metadata, evidence=evidence))
        self._code, self._text = CATALOGUE[reason]
        self._details = _details(self.error, _PLACEHOLDER)
        self._trailers = trailers_of(self.error)

    def handler(self, track_id: TrackId) -> "grpc.RpcMethodHandler[Any, Any]":
        """Return a handler that ends its call with this status at once, without waiting for a message."""
        if len(track_id) == len(_PLACEHOLDER):
            details = self._details.replace(_PLACEHOLDER.encode(), track_id.encode())
        else:
            details = _details(self.error, track_id)
        trailers = ((TRACK_ID_KEY, track_id), *self._trailers, (_DETAILS_KEY, details))

        async def refuse(_requests: Any, context: Any) -> None:
            context.set_code(self._code)
            context.set_details(self._text)
            context.set_trailing_metadata(trailers)

        return grpc.stream_stream_rpc_method_handler(refuse)


def _details(error: CallError, track_id: TrackId) -> bytes:
    return bytes(status_of(error, track_id=track_id).SerializeToString())


class Refusals:
    """Refuses calls with OVERLOADED, counts them, and writes one log line a second for all of them."""

    def __init__(self, *, count: Callable[[str, Reason], None]) -> None:
        """Make the refusals.

        Args:
            count: Counts a refusal, by name of the RPC and reason.
        """
        self._count = count
        detail, unsettled = "refused before it was received", Reason.EARLIER_ATTEMPT_UNSETTLED
        self._first = itertools.cycle([_Refusal(Reason.OVERLOADED, detail, retry_s) for retry_s in _RETRY_S])
        # gRPC repeats calls by itself; an earlier attempt of such a call may have been sent.
        self._repeated = itertools.cycle(
            [_Refusal(unsettled, detail, retry_s, lastReason=Reason.OVERLOADED.name) for retry_s in _RETRY_S]
        )
        self._unlogged = 0
        self._log_timer: asyncio.TimerHandle | None = None

    def handler(self, method: str, metadata: Metadata) -> "grpc.RpcMethodHandler[Any, Any]":
        """Return a handler that refuses a call.

        Args:
            method: Path of its method.
            metadata: What the caller sent along.
        """
        rpc = method.rpartition("/")[2]
        given, refusals = None, self._first
        for key, value in metadata:
            if key == TRACK_ID_KEY:
                given = value
            elif key == _ATTEMPTS_KEY and value != "0" and rpc in ROUTED_RPCS:
                refusals = self._repeated
        refusal = next(refusals)
        # A name that is the caller's own text is no value of a metric.
        self._count(rpc if rpc in RPCS else "unknown", refusal.error.failure.reason)
        self._unlogged += 1
        if self._log_timer is None:
            self._log_timer = asyncio.get_running_loop().call_later(_LOG_EVERY_S, self.log)
        return refusal.handler(_track_id(given))

    def log(self) -> None:
        """Write the line of the refusals since the last one."""
        _LOG.warning("calls_refused", calls=self._unlogged, reason=Reason.OVERLOADED.name)
        self._unlogged, self._log_timer = 0, None


def _track_id(given: str | bytes | None) -> TrackId:
    """Return the caller's Track-Id, or a new one if there is none or it is invalid."""
    own = parse_track_id(given) if isinstance(given, str) else None
    return own or minted_track_id(random.getrandbits(128), random.getrandbits(64))
