"""The HTTP client: it sends one request and returns the answer, or a precise error if no status arrived."""

import gzip
import math
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
from httpx_aiohttp import AiohttpTransport
from opentelemetry import trace

from payorch_server.model.proxy import proxy_of
from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.interpreter_defaults import client_tls_context
from payorch_server.telemetry.spans import carry
from payorch_server.zuora.connections import open_session
from payorch_server.zuora.content_coding import decompress
from payorch_server.zuora.messages import Damage, HttpResponse
from payorch_server.zuora.send_errors import SEND_ERRORS, is_out_of_time, send_error
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.wires import AiohttpWire, HttpxWire, Received, Wire


@dataclass(frozen=True, slots=True)
class HttpPost:
    """A POST, complete but for its timeouts."""

    url: str
    # Both hold secrets in clear: here they are on the wire.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    template: str
    """The path without anything variable, for spans."""
    ordinal: int = 1
    """How often the call was sent, this time included."""


class Transport:
    """Sends POSTs; never follows a redirect, keeps no cookies, repeats nothing."""

    def __init__(
        self, *, settings: ZuoraHttpSettings, version: str, wire: Wire, tracer: trace.Tracer, deadlines: Deadlines
    ) -> None:
        self._settings = settings
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": f"payorch/{version}",
        }
        self._wire = wire
        self.tracer = tracer
        """Makes the spans of attempts."""
        self.deadlines = deadlines
        """Of the process."""

    async def post(
        self,
        post: HttpPost,
        *,
        timeout_s: float,
        connect_within_s: float = math.inf,
        span: trace.Span = trace.INVALID_SPAN,
    ) -> HttpResponse:
        """Send once.

        Args:
            post: What to send.
            timeout_s: For everything, from connecting to the last byte of the answer.
            connect_within_s: For connecting, if that is less than the settings allow.
            span: Of the attempt; its trace context is sent if the settings say so.

        Returns:
            The answer from its status on; a body that breaks off or cannot be read is marked as damaged.

        Raises:
            CallError: No connection could be made; NOT_SENT. Or the request may have been executed; UNKNOWN.
        """
        headers, body = self._encode(post, span)
        connect_s = min(self._settings.connect_timeout_s, connect_within_s, timeout_s)
        received = Received(self._settings.max_answer_bytes)
        try:
            with self.deadlines.limit(timeout_s):
                await self._wire.exchange(post.url, headers, body, connect_s=connect_s, received=received)
        except SEND_ERRORS as error:
            if received.status == 0:
                raise send_error(error, url=post.url, timeout_s=timeout_s) from error
            if received.damage is Damage.CUT and is_out_of_time(error):
                received.damage = Damage.LATE
        codings = received.headers.get("content-encoding", "")
        plain, damage = decompress(bytes(received.body), codings, max_bytes=self._settings.max_answer_bytes)
        return HttpResponse(received.status, received.headers, plain, received.damage or damage)

    def _encode(self, post: HttpPost, span: trace.Span) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body as they are sent."""
        headers = {**self._headers, **post.headers}
        if self._settings.send_traceparent:
            carry(span, headers)
        if len(post.body) <= self._settings.gzip_over_bytes:
            return headers, post.body
        headers["content-encoding"] = "gzip"
        return headers, gzip.compress(post.body, compresslevel=1)


@dataclass(frozen=True, slots=True)
class Transports:
    """Two ways, each over connections of its own."""

    of_calls: Transport
    """With aiohttp's client alone, over kept connections."""
    of_others: Transport
    """With httpx's API: requests for tokens. Each has a new connection, for nothing in the answer says whose token it
    is: an answer that was left over from another request would put a call into another tenant."""


def open_transports(
    *,
    settings: ZuoraHttpSettings,
    version: str,
    tracer: trace.Tracer,
    deadlines: Deadlines,
    stack: AsyncExitStack,
    proxy_password: Secret[str] | None = None,
) -> Transports:
    """Return transports over aiohttp's connections, closed with the stack. Call it inside the loop.

    Args:
        settings: Of the pools and of every request.
        version: Of the service; requests name it in their user agent.
        tracer: Makes the spans of attempts.
        deadlines: Of the process.
        stack: Closes the pools.
        proxy_password: For the proxy of the settings; None if it asks for none.
    """
    proxy = proxy_of(settings.proxy_url, settings.proxy_username, proxy_password)
    context = client_tls_context(settings.ca_file)
    session = open_session(settings, context=context)
    stack.push_async_callback(session.close)
    session_of_others = open_session(settings, context=context, single_use=True)
    stack.push_async_callback(session_of_others.close)
    for_httpx = httpx.Proxy(proxy.url, headers=proxy.headers) if proxy else None
    over_httpx = HttpxWire(AiohttpTransport(verify=context, trust_env=False, client=session_of_others, proxy=for_httpx))
    of_calls, of_others = (
        Transport(settings=settings, version=version, wire=wire, tracer=tracer, deadlines=deadlines)
        for wire in (AiohttpWire(session, proxy), over_httpx)
    )
    return Transports(of_calls, of_others)
