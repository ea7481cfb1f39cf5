"""How a client for threads sends a call."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from payorch.call_error import CallError
from payorch.connection import AttemptError, Endpoint, answer_of, known_not_ready, why_not_reached
from payorch.errors import PayorchError
from payorch.links import Link, Links
from payorch.outgoing import CallSettings, OutgoingCall, checked_token
from payorch.resend import Next
from payorch.rpcs import Answer, Request, Rpc

TokenSource = Callable[[bool], str]
"""Returns the caller's JSON Web Token; True asks for a fresh one, because the last one was not accepted."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends calls over the channels of a client, again where the service advises it."""

    links: Links[grpc.Channel]
    endpoint: Endpoint
    settings: CallSettings
    token: TokenSource | None

    def call(self, rpc: Rpc[Request, Answer], request: Request, deadline_s: float | None) -> Answer:
        """Send a request until it succeeds or must not be sent again; return the answer.

        Raises:
            PayorchError: By its subclass.
        """
        outgoing = self.settings.outgoing(rpc, request, deadline_s)
        link = self.links.take()
        try:
            return self._attempts(link, rpc, outgoing)
        except PayorchError:
            raise
        except Exception as error:
            # Whatever else went wrong does not hide that an earlier attempt is in doubt.
            if outgoing.loop.doubt:
                raise outgoing.exception() from error
            raise
        finally:
            for channel in self.links.give_back(link):
                channel.close()

    def close(self) -> None:
        """Close the channels."""
        for channel in self.links.all():
            channel.close()

    def _attempts(self, link: Link[grpc.Channel], rpc: Rpc[Request, Answer], outgoing: OutgoingCall[Request]) -> Answer:
        token = self._fetch(refresh=False)
        while True:
            try:
                received = self._attempt(link, rpc, outgoing, token)
            except AttemptError as failed:
                token = self._before_next(outgoing, failed, token)
            else:
                outgoing.succeeded(received)
                return received

    def _attempt(
        self, link: Link[grpc.Channel], rpc: Rpc[Request, Answer], outgoing: OutgoingCall[Request], token: str
    ) -> Answer:
        self._connect(link, outgoing)
        method: grpc.UnaryUnaryMultiCallable[Request, Answer] = link.channel.unary_unary(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.answer.FromString
        )
        try:
            received = method(outgoing.request, timeout=outgoing.loop.remaining_s(), metadata=outgoing.metadata(token))
        except grpc.RpcError as error:
            failed = CallError.from_rpc_error(error)
            link.seen_ready = failed.call_outcome is not None
            raise AttemptError(failed, error) from error
        return answer_of(received)

    def _connect(self, link: Link[grpc.Channel], outgoing: OutgoingCall[Request]) -> None:
        """Wait for the connection; without one the call is not started.

        Nothing is asked of a connection that was ready and is not known to have gone.
        """
        if link.seen_ready and not known_not_ready(link.channel):
            return
        text = why_not_reached(link.channel, outgoing.loop.remaining_s())
        if text is not None:
            raise AttemptError(self.endpoint.not_connected(text), None)
        link.seen_ready = True

    def _before_next(self, outgoing: OutgoingCall[Request], failed: AttemptError, token: str) -> str:
        """Wait as long as the next attempt has to; return its token.

        Raises:
            PayorchError: There is none.
        """
        following, wait_s = outgoing.after(failed.error)
        if following is Next.END:
            raise outgoing.exception() from failed.cause
        if following is Next.WAIT_AND_SEND:
            time.sleep(self.settings.timing.pause_s(wait_s))
            return self._fetch(refresh=False)
        fresh = self._fetch(refresh=True)
        if fresh == token:
            raise outgoing.exception() from failed.cause
        return fresh

    def _fetch(self, *, refresh: bool) -> str:
        """Return the token; empty where there is no supplier."""
        return "" if self.token is None else checked_token(self.token(refresh))
