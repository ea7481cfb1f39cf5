"""The HTTP client: it sends one request and returns the complete answer, or a precise error."""

import asyncio
import gzip
import math
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from opentelemetry import trace

from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.telemetry.spans import carry
from payorch_server.zuora.messages import HttpResponse
from payorch_server.zuora.settings import ZuoraHttpSettings

# httpx-aiohttp turns a connection that broke after the request was sent into httpx.ConnectTimeout, so its classes prove
# nothing. These of aiohttp are raised before a byte of the request is written; everything else may have been executed.
_NOT_CONNECTED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_BAD_CERTIFICATE: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)
# httpx's own transports, such as an emulator in this process, raise these themselves.
_NEVER_SENT: Final = (httpx.UnsupportedProtocol, httpx.InvalidURL)

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

        Raises:
            CallError: No connection could be made; NOT_SENT. Or the request may have been executed; UNKNOWN.
        """
        request = self._request(post, min(connect_within_s, timeout_s), span)
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._http.handle_async_request(request)
                try:
                    body = await self._read(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise call_error(Reason.UPSTREAM_NO_ANSWER, f"no answer within {timeout_s:.1f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError) as error:
            raise _translate(error, post) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, body)

    async def _read(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        encoded = "content-encoding" in response.headers
        try:
            async for part in response.aiter_bytes() if encoded else response.aiter_raw():
                size += len(part)
                if size > self._settings.max_answer_bytes:
                    limit = self._settings.max_answer_bytes
                    raise call_error(Reason.UPSTREAM_ANSWER_UNREADABLE, f"the answer is larger than {limit} bytes")
                parts.append(part)
        except httpx.DecodingError as error:
            raise call_error(Reason.UPSTREAM_ANSWER_UNREADABLE, "the answer cannot be decompressed") from error
        return b"".join(parts)

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
    return call_error(Reason.UPSTREAM_NO_ANSWER, f"the connection to {origin} failed: {_brief(cause)}")


def _brief(error: BaseException) -> str:
    """Return the kind of an error without its text: a parser's quotes the bytes it could not read, perhaps a token."""
    cause = getattr(error, "os_error", error)
    text = cause.strerror if isinstance(cause, OSError) and cause.errno else ""
    return f"{type(error).__name__} {text or ''}".strip()


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
        connector = aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=settings.keepalive_s)
        # No cookie of one tenant may travel with a call of another.
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    http = AiohttpTransport(verify=context, trust_env=False, client=session)
    stack.push_async_callback(http.aclose)
    return Transport(settings=settings, version=version, http=http, tracer=tracer)
