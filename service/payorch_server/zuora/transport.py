"""The HTTP client: it sends one request and returns the answer, or a precise error if no status arrived."""

import asyncio
import contextlib
import gzip
import math
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport
from opentelemetry import trace

from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.telemetry.spans import carry
from payorch_server.zuora.content_coding import decompress
from payorch_server.zuora.messages import Damage, HttpResponse
from payorch_server.zuora.response_headers import header_fields
from payorch_server.zuora.settings import ZuoraHttpSettings


class _ConnectionUnusable(aiohttp.ClientConnectionError):
    """A server sent something before it was asked."""


# httpx-aiohttp turns a connection that broke after the request was sent into httpx.ConnectTimeout, so its classes prove
# nothing. These are raised before a byte of the request is written; everything else may have been executed.
_NOT_CONNECTED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, _ConnectionUnusable)
_BAD_CERTIFICATE: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)
# How aiohttp's parser begins its text about what is not HTTP at all.
_NO_STATUS_LINE: Final = "Bad status line"
# httpx's own transports, such as an emulator in this process, raise these themselves.
_NEVER_SENT: Final = (httpx.UnsupportedProtocol, httpx.InvalidURL)
# Of an answer's head. Real ones have some forty fields; the largest, a content security policy, has a few kilobytes.
_MAX_FIELD_BYTES: Final = 128 * 1024
_MAX_FIELDS: Final = 512
# What may stand before the first character of a text: byte order marks and blanks.
_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"

# How many connections that hold an answer to nothing are closed before a call gives up.
_MAX_UNUSABLE: Final = 5
# A tenant has five; a parsed URL never changes.
_MAX_URLS: Final = 256


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
    """Sends POSTs over kept connections; never follows a redirect, keeps no cookies, repeats nothing."""

    def __init__(
        self, *, settings: ZuoraHttpSettings, version: str, http: httpx.AsyncBaseTransport, tracer: trace.Tracer
    ) -> None:
        self._settings = settings
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": f"payorch/{version}",
        }
        self._http = http
        self.tracer = tracer
        """Makes the spans of attempts."""

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
        request = self._request(post, min(connect_within_s, timeout_s), span)
        received = _Received()
        try:
            async with asyncio.timeout(timeout_s):
                await self._receive(request, received)
        except TimeoutError as error:
            if received.status == 0:
                raise call_error(Reason.UPSTREAM_NO_ANSWER, f"no answer within {timeout_s:.1f} s") from error
            if received.damage is Damage.CUT:
                received.damage = Damage.LATE
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError) as error:
            if received.status == 0:
                raise _translate(error, post) from error
        codings = received.headers.get("content-encoding", "")
        body, damage = decompress(bytes(received.body), codings, max_bytes=self._settings.max_answer_bytes)
        return HttpResponse(received.status, received.headers, body, received.damage or damage)

    async def _receive(self, request: httpx.Request, received: "_Received") -> None:
        response = await self._http.handle_async_request(request)
        received.headers = header_fields(response.headers.multi_items())
        received.status = response.status_code
        try:
            async for part in response.aiter_raw():
                room = self._settings.max_answer_bytes - len(received.body)
                received.body += part[:room]
                if len(part) > room:
                    received.damage = Damage.TOO_LARGE
                    return
            received.damage = Damage.UNFRAMED if received.is_unframed else None
        finally:
            # A connection that breaks now costs nothing: what the answer says has been read.
            with contextlib.suppress(httpx.HTTPError, httpx.StreamError, aiohttp.ClientError):
                await response.aclose()

    def _request(self, post: HttpPost, connect_within_s: float, span: trace.Span) -> httpx.Request:
        body = post.body
        headers = {**self._headers, **post.headers}
        if self._settings.send_traceparent:
            carry(span, headers)
        if len(body) > self._settings.gzip_over_bytes:
            body = gzip.compress(body, compresslevel=1)
            headers["content-encoding"] = "gzip"
        timeouts = {
            "connect": min(self._settings.connect_timeout_s, connect_within_s),
            # For aiohttp it bounds all of getting a connection: DNS, TCP and TLS together.
            "pool": min(self._settings.connect_timeout_s, connect_within_s),
            "read": None,
            "write": None,
        }
        return httpx.Request(
            "POST", _parse_url(post.url), headers=headers, content=body, extensions={"timeout": timeouts}
        )


@dataclass(slots=True)
class _Received:
    """What has arrived of an answer so far."""

    status: int = 0
    """0 before the head has arrived."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray, repr=False)
    damage: Damage | None = Damage.CUT
    """Of a body that has not arrived in full."""

    @property
    def is_unframed(self) -> bool:
        """Whether nothing of a body has arrived, and the head does not show that there is none."""
        has_length = "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()
        return not has_length and not self.body.strip(_BEFORE_TEXT)


@lru_cache(maxsize=_MAX_URLS)
def _parse_url(url: str) -> httpx.URL:
    return httpx.URL(url)


def _translate(error: Exception, post: HttpPost) -> CallError:
    cause = error.__cause__ or error
    origin = "://".join(urlsplit(post.url)[:2])
    if isinstance(cause, _BAD_CERTIFICATE):
        return call_error(Reason.UPSTREAM_TLS_FAILED, f"the certificate of {origin} was refused: {_brief(cause)}")
    if isinstance(cause, _NOT_CONNECTED):
        return call_error(Reason.UPSTREAM_UNREACHABLE, f"no connection to {origin}: {_brief(cause)}")
    if isinstance(error, _NEVER_SENT):
        return call_error(Reason.UPSTREAM_UNREACHABLE, f"{origin} cannot be called: {type(error).__name__}")
    if _is_unreadable_head(cause):
        return call_error(Reason.UPSTREAM_ANSWER_UNREADABLE, f"the head of an answer of {origin} breaks HTTP's rules")
    return call_error(Reason.UPSTREAM_NO_ANSWER, f"the connection to {origin} failed: {_brief(cause)}")


def _is_unreadable_head(error: BaseException) -> bool:
    """Return whether an answer arrived whose header fields no attempt can read; without a status line it is none."""
    # aiohttp's parser names what it met in the text alone.
    text = error.message if isinstance(error, HttpProcessingError) else ""
    return bool(text) and not text.startswith(_NO_STATUS_LINE)


def _brief(error: BaseException) -> str:
    """Return the kind of an error without its text: a parser's quotes the bytes it could not read, perhaps a token."""
    cause = getattr(error, "os_error", error)
    text = cause.strerror if isinstance(cause, OSError) and cause.errno else ""
    return f"{type(error).__name__} {text or ''}".strip()


class _Connector(aiohttp.TCPConnector):
    """Connections, none of which holds a part of an answer before a request is sent on it.

    aiohttp would take what arrived on an idle connection, such as a 408 of its server or a late answer to an earlier
    call, for the answer to the next request.
    """

    async def connect(self, *request: Any, **options: Any) -> aiohttp.connector.Connection:
        """Return a kept connection or a new one."""
        for _ in range(_MAX_UNUSABLE):
            connection = await super().connect(*request, **options)
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        raise _ConnectionUnusable


def open_transport(
    *, settings: ZuoraHttpSettings, version: str, tracer: trace.Tracer, stack: AsyncExitStack
) -> Transport:
    """Return a transport over aiohttp's pools, one for each origin, closed with the stack. Call it inside the loop.

    Args:
        settings: Of the pools and of every request.
        version: Of the service; requests name it in their user agent.
        tracer: Makes the spans of attempts.
        stack: Closes the pools.
    """
    context = ssl.create_default_context(cafile=settings.ca_file or None)

    def session() -> aiohttp.ClientSession:
        # aiohttp keeps the connections of each origin apart; only its limit would span them, and one origin that does
        # not answer would take the connections of the others. ConcurrencyLimiter bounds the calls of each tenant and
        # entity, so at most as many connections are open, and no call ever waits for one.
        connector = _Connector(limit=0, ssl=context, keepalive_timeout=settings.keepalive_s)
        # No cookie of one tenant may travel with a call of another.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=_MAX_FIELD_BYTES,
            max_field_size=_MAX_FIELD_BYTES,
            max_headers=_MAX_FIELDS,
        )

    http = AiohttpTransport(verify=context, trust_env=False, client=session)
    stack.push_async_callback(http.aclose)
    return Transport(settings=settings, version=version, http=http, tracer=tracer)
