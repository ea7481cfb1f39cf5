"""How a client for tasks sends a call: as `sender` does for threads, and it always asks the channel how it is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from payorch.call_error import CallError
from payorch.connection import AttemptError, Endpoint, answer_of, ready_async, why_not_ready_async
from payorch.errors import PayorchError
from payorch.links import Link, Links
from payorch.outgoing import CallSettings, OutgoingCall, checked_token
from payorch.resend import Next
from payorch.rpcs import Answer, Request, Rpc

AsyncTokenSource = Callable[[bool], Awaitable[str]]
"""Returns the caller's JSON Web Token; True asks for a fresh one, because the last one was not accepted."""


@dataclass(frozen=True, slots=True)
class AsyncSender:
    """Sends calls over the channels of a client, again where the service advises it."""

    links: Links[grpc.aio.Channel]
    endpoint: Endpoint
    settings: CallSettings
    token: AsyncTokenSource | None

    async def call(self, rpc: Rpc[Request, Answer], request: Request, deadline_s: float | None) -> Answer:
        """Send a request until it succeeds or must not be sent again; return the answer.

        Raises:
            PayorchError: By its subclass.
        """
        outgoing = self.settings.outgoing(rpc, request, deadline_s)
        link = self.links.take()
        try:
            return await self._attempts(link, rpc, outgoing)
        except PayorchError:
            raise
        except Exception as error:
            # Whatever else went wrong does not hide that an earlier attempt is in doubt.
            if outgoing.loop.doubt:
                raise outgoing.exception() from error
            raise
        finally:
            for channel in self.links.give_back(link):
                await channel.close()

    async def close(self) -> None:
        """Close the channels."""
        for channel in self.links.all():
            await channel.close()

    async def _attempts(
        self, link: Link[grpc.aio.Channel], rpc: Rpc[Request, Answer], outgoing: OutgoingCall[Request]
    ) -> Answer:
        token = await self._fetch(refresh=False)
        while True:
            try:
                received = await self._attempt(link, rpc, outgoing, token)
            except AttemptError as failed:
                token = await self._before_next(outgoing, failed, token)
            else:
                outgoing.succeeded(received)
                return received

    async def _attempt(
        self, link: Link[grpc.aio.Channel], rpc: Rpc[Request, Answer], outgoing: OutgoingCall[Request], token: str
    ) -> Answer:
        await self._connect(link, outgoing)
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer] = link.channel.unary_unary(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.answer.FromString
        )
        try:
            received = await method(
                outgoing.request, timeout=outgoing.loop.remaining_s(), metadata=outgoing.metadata(token)
            )
        except grpc.RpcError as error:
            raise AttemptError(CallError.from_rpc_error(error), error) from error
        return answer_of(received)

    async def _connect(self, link: Link[grpc.aio.Channel], outgoing: OutgoingCall[Request]) -> None:
        """Wait for the connection; without one the call is not started."""
        text: str | None = ""
        try:
            async with asyncio.timeout(outgoing.loop.remaining_s()):
                if await ready_async(link.channel):
                    return
                text = await why_not_ready_async(link.channel)
        except TimeoutError:
            text = ""
        if text is not None:
            raise AttemptError(self.endpoint.not_connected(text), None)

    async def _before_next(self, outgoing: OutgoingCall[Request], failed: AttemptError, token: str) -> str:
        """Wait as long as the next attempt has to; return its token.

        Raises:
            PayorchError: There is none.
        """
        following, wait_s = outgoing.after(failed.error)
        if following is Next.END:
            raise outgoing.exception() from failed.cause
        if following is Next.WAIT_AND_SEND:
            await asyncio.sleep(self.settings.timing.pause_s(wait_s))
            return await self._fetch(refresh=False)
        fresh = await self._fetch(refresh=True)
        if fresh == token:
            raise outgoing.exception() from failed.cause
        return fresh

    async def _fetch(self, *, refresh: bool) -> str:
        """Return the token; empty where there is no supplier."""
        return "" if self.token is None else checked_token(await self.token(refresh))
