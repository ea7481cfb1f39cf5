"""Whether a client is connected, and what may be wrong if it is not.

A call is started only on a connection that is ready, so a call without one was provably never sent. What gRPC says of
a call that was started proves nothing.
"""

from dataclasses import dataclass
from typing import Any, Final

import grpc

from payorch.call_error import CallError
from payorch.rpcs import Answer
from payorch.v1 import call_pb2

_PROBE: Final = "/grpc.health.v1.Health/Check"
"""It moves nothing, and needs no token. Its error says why there is no connection."""
_PROBE_S: Final = 1.0
_HTTP_ANSWER: Final = "http2 header with status"
_DECIDED: Final = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)


class AttemptError(Exception):
    """An attempt that failed; it stays within the client."""

    def __init__(self, error: CallError, cause: BaseException | None) -> None:
        """Remember what is known of it, and the exception that gRPC raised; None if the call was not started."""
        super().__init__(error.message)
        self.error = error
        self.cause = cause


def answer_of(received: Answer | None) -> Answer:
    """Return the answer of a call that succeeded.

    Raises:
        AttemptError: There is none. gRPC returns None for a success without a message and, to a task, for one that it
            cannot read.
    """
    if received is None:
        unreadable = CallError(code=grpc.StatusCode.INTERNAL, message="The answer has no message that can be read.")
        raise AttemptError(unreadable, None)
    return received


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a client connects to, as far as it matters for what may be wrong."""

    target: str
    plaintext: bool = False
    shows_certificate: bool = False

    def not_connected(self, text: str) -> CallError:
        """Return the error of a call that was never started for want of a connection.

        Args:
            text: What gRPC says of the connection; empty: nothing yet.
        """
        hint = self._hint(text)
        because = f": {hint}" if hint else ""
        said = f" [gRPC: {text}]" if text else ""
        return CallError(
            code=grpc.StatusCode.UNAVAILABLE,
            message=f"no connection to {self.target}{because}{said}",
            outcome=call_pb2.OUTCOME_NOT_SENT,
            hint=hint,
        )

    def _hint(self, text: str) -> str:
        known = (
            ("refused", "nothing listens there; check host and port"),
            ("WRONG_VERSION_NUMBER", "the server speaks no TLS; plaintext=True connects without, if that is intended"),
            (
                "CERTIFICATE_VERIFY_FAILED",
                "the server's certificate is not trusted; name its authority with tls=Tls.from_files(ca_file=...)",
            ),
            ("is not verified for", "the server's certificate is for another host name"),
            ("ot found", "the host name is not known"),
            ("unhealthy", "the service is there, but does not serve yet, or no more"),
            ("closed", self._hint_of_closing()),
            ("reset", self._hint_of_closing()),
        )
        return next((hint for piece, hint in known if piece in text), "" if text else "it was not made in time")

    def _hint_of_closing(self) -> str:
        if self.plaintext:
            return "the server closed it at once, as one that speaks TLS does; connect without plaintext=True"
        if self.shows_certificate:
            return "the server closed it at once; it may not accept the client's certificate"
        return "the server closed it at once; it may require a client certificate"


def why_not_reached(channel: grpc.Channel, timeout_s: float) -> str | None:
    """Return why a channel for threads reaches nothing; None if something answers, whatever it says.

    Such a channel does not say cheaply whether it is connected, so it is asked for something harmless. Empty: there was
    no answer in time.
    """
    probe = channel.unary_unary(_PROBE, request_serializer=bytes, response_deserializer=bytes)
    try:
        probe(b"", timeout=timeout_s)
    except grpc.RpcError as error:
        failed: Any = error  # grpc declares these methods on what it raises, not on RpcError.
        if failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return ""
        # A proxy that answers for itself sends headers; a channel without a connection has none.
        answered = failed.initial_metadata() or failed.trailing_metadata() or _HTTP_ANSWER in (failed.details() or "")
        return None if answered else _text_of(error)
    return None


def known_not_ready(channel: Any) -> bool:
    """Return whether a channel for threads has noticed that it has no connection.

    gRPC's public interface answers this only with a thread that polls. So the channel's core is asked, if it is where
    it has always been; if it is not, or has not noticed yet, a call is sent, and is in doubt if it fails.
    """
    while (channel := getattr(channel, "_channel", None)) is not None:
        if state := getattr(channel, "check_connectivity_state", None):
            return bool(state(False) != grpc.ChannelConnectivity.READY.value[0])
    return False


async def ready_async(channel: grpc.aio.Channel) -> bool:
    """Wait until a channel is connected, or fails to; return whether it is. Cancel it at the deadline."""
    while (state := channel.get_state(try_to_connect=True)) not in _DECIDED:
        await channel.wait_for_state_change(state)
    return state is grpc.ChannelConnectivity.READY


async def why_not_ready_async(channel: grpc.aio.Channel) -> str | None:
    """Return what gRPC says of a channel that is not connected; None if it is by now."""
    probe = channel.unary_unary(_PROBE, request_serializer=bytes, response_deserializer=bytes)
    try:
        await probe(b"", timeout=_PROBE_S)
    except grpc.RpcError as error:
        return _text_of(error)
    return None


def _text_of(error: Any) -> str | None:
    """Return the text of a failure of the connection; None for an answer of a server."""
    return str(error.details() or "") if error.code() is grpc.StatusCode.UNAVAILABLE else None
