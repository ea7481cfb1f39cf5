"""Receives the message of a call, within a time limit.

gRPC waits for the message of a unary call before any code of ours runs, and for as long as the client likes. So our
handlers are those of a stream of requests, which start without a message; on the wire both are the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import grpc
from google.protobuf.message import DecodeError

from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.rpc.current import note_request_id
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, is_ours
from payorch_server.rpc.status import CATALOGUE
from payorch_server.runtime.deadlines import Deadlines, TimeLimit
from payorch_server.store.keyring import Keyring

MESSAGE_TIMEOUT_S: Final = 10.0
"""Time for a message to arrive completely; the deadline of its call also holds."""
# A message normally arrives with the head of its call. gRPC holds what it has read of each: half a megabyte at most.
_MAX_WAITING: Final = 100
_DRAIN_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Undecodable:
    """Replaces a message that could not be decoded, so that the error carries details."""

    reason: Reason
    detail: str
    metadata: Mapping[str, str]


class ReceiveInterceptor(grpc.aio.ServerInterceptor):
    """Receives the message of each call that has exactly one."""

    def __init__(
        self, *, max_request_bytes: int, deadlines: Deadlines, keyring: Keyring, timeout_s: float = MESSAGE_TIMEOUT_S
    ) -> None:
        """Make an interceptor.

        Args:
            max_request_bytes: Larger messages of our methods are refused.
            deadlines: Of the process.
            keyring: Hashes request ids that look like secrets, for the log.
            timeout_s: Time for a message to arrive completely.
        """
        self._max_request_bytes = max_request_bytes
        self._deadlines = deadlines
        self._keyring = keyring
        self._timeout_s = timeout_s
        # The one that has waited longest first.
        self._waiting: dict[TimeLimit, None] = {}

    def __repr__(self) -> str:
        return f"ReceiveInterceptor({len(self._waiting)} waiting)"

    @property
    def waiting(self) -> int:
        """How many calls wait for their message."""
        return len(self._waiting)

    def drain(self) -> None:
        """Give messages that have not arrived one more second, so that they do not delay the shutdown."""
        self._timeout_s = min(self._timeout_s, _DRAIN_TIMEOUT_S)
        for limit in self._waiting:
            limit.shorten(self._timeout_s)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Replace the handlers of methods with a single request by handlers that receive it themselves."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        if is_ours(handler_call_details.method):
            return grpc.stream_unary_rpc_method_handler(
                self._receiving_ours(cast("Behaviour", handler.unary_unary)),
                request_deserializer=self._guarded(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make(
            _without_details(self._receiving(cast("Behaviour", handler.unary_stream or handler.unary_unary))),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _receiving(self, behaviour: Behaviour) -> Behaviour:
        async def receive(_requests: Any, context: Any) -> Any:
            return await behaviour(await self._message(context), context)

        return receive

    def _receiving_ours(self, behaviour: Behaviour) -> Behaviour:
        async def receive(_requests: Any, context: Any) -> Any:
            message = await self._message(context)
            # From here on, every log line of the call has the request id.
            note_request_id(getattr(message, "request_id", ""), self._keyring)
            return await behaviour(message, context)

        return receive

    async def _message(self, context: Any) -> Any:
        try:
            with self._deadlines.limit(self._timeout_s) as limit:
                self._make_room()
                self._waiting[limit] = None
                try:
                    message = await context.read()
                finally:
                    self._waiting.pop(limit, None)
        except TimeoutError:
            raise call_error(Reason.DEADLINE_TOO_SHORT, "no complete message arrived in time") from None
        if message is grpc.aio.EOF:
            raise call_error(Reason.REQUEST_MALFORMED, "the call has no message")
        if isinstance(message, _Undecodable):
            raise call_error(message.reason, message.detail, **message.metadata)
        return message

    def _make_room(self) -> None:
        """End the call that has waited longest for its message, if too many wait."""
        if len(self._waiting) >= _MAX_WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.shorten(0.0)

    def _guarded(self, deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
        limit = self._max_request_bytes

        def guarded(message: bytes) -> Any:
            if len(message) > limit:
                detail = f"{len(message)} bytes, the limit is {limit}"
                return _Undecodable(Reason.REQUEST_TOO_LARGE, detail, {"maxBytes": str(limit)})
            try:
                return deserialize(message) if deserialize else message
            except DecodeError:
                return _Undecodable(Reason.REQUEST_MALFORMED, f"{len(message)} bytes cannot be decoded", {})

        return guarded


def _without_details(behaviour: Behaviour) -> Behaviour:
    """Return a behaviour of a method that is not ours, whose errors have no details."""

    async def ending_plainly(requests: Any, context: Any) -> Any:
        try:
            return await behaviour(requests, context)
        except CallError as error:
            await _abort(context, error)

    return ending_plainly


async def _abort(context: Any, error: CallError) -> NoReturn:
    code, text = CATALOGUE[error.failure.reason]
    await context.abort(code, text)
    raise error
