"""One HTTP connection to us: aiohttp's handler, without its answers to broken requests, its log and its patience.

As it comes it repeats a header line that it cannot read in its answer and in its log, credentials included, waits for
ever for the rest of a request, decompresses bodies, and names itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, cast

from aiohttp import StreamReader, hdrs
from aiohttp.http import HttpProcessingError, HttpVersion11, RawRequestMessage

# aiohttp.web itself would also load routes, static files, WebSockets and runners.
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse
from aiohttp.web_server import Server

from payorch_server.runtime.clock import Clock

_MALFORMED: Final = 400
_LINGER_S: Final = 2.0
_PARSED_AT_ONCE: Final = 16_384
"""Bytes; aiohttp does not say how many of them belong to a head that has not ended."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer; nothing of it comes from the peer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False
    """Whether the connection is closed at once, without reading what else the peer sends."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one peer may take; times in seconds."""

    connections: int
    idle_s: float
    """A connection without a request."""
    head_s: float = 10.0
    """From the first byte of a request to the end of its head; then the connection is closed."""
    head_bytes: int = 16_384
    """Of a head that has not ended, except what came in one piece with the request before it; then the connection is
    closed."""
    body_s: float = 10.0
    """From the first read of a body to its end."""
    send_s: float = 10.0
    """An answer that the peer does not read; then the connection is closed."""
    handshake_s: float = 10.0
    """A TLS handshake."""


@dataclass(frozen=True, slots=True)
class HttpService:
    """What a listener does with requests."""

    handle: Callable[["HttpRequest"], Awaitable[HttpAnswer]]
    malformed: HttpAnswer
    """The answer to what is no HTTP request."""
    failed: HttpAnswer
    """The answer where `handle` raises."""
    report: Callable[[BaseException], None]
    """Called with what `handle` or aiohttp raised; its text may quote the peer."""
    limits: HttpLimits
    clock: Clock


class BodyProblem(Enum):
    """Why a body was not read."""

    TOO_LARGE = auto()
    INCOMPLETE = auto()
    """It did not arrive in time, is malformed, or the peer left."""


class HttpRequest(BaseRequest):
    """A request whose head has arrived."""

    ATTRS = BaseRequest.ATTRS | frozenset({"first_byte_s"})
    first_byte_s: float
    """When its first byte arrived, on the monotonic clock."""

    @property
    def target(self) -> str:
        """The path as it was sent, percent signs included, without a query."""
        return self._message.path.partition("?")[0]

    @property
    def peer(self) -> str:
        """The address of the other end of the connection."""
        return self.remote or ""

    @property
    def asks_for_upgrade(self) -> bool:
        """Whether aiohttp stops parsing HTTP after it."""
        return bool(self._message.upgrade)

    def lines_of(self, name: str) -> list[str]:
        """Return the values of all header lines of a name."""
        return list(self.headers.getall(name, ()))

    async def read_body(self, *, at_most: int) -> bytes | BodyProblem:
        """Return the body as it was sent, never decompressed."""
        connection = cast("Connection", self.protocol)
        if (self.content_length or 0) > at_most:
            return BodyProblem.TOO_LARGE
        try:
            # Most bodies arrive with their heads.
            if self._payload.is_eof():
                return await self._read_payload(at_most=at_most)
            async with asyncio.timeout(connection.service.limits.body_s):
                await self._ask_for_body()
                return await self._read_payload(at_most=at_most)
        except (OSError, RequestPayloadError, HttpProcessingError):
            connection.read_no_more()
            return BodyProblem.INCOMPLETE

    async def _read_payload(self, *, at_most: int) -> bytes | BodyProblem:
        body = bytearray()
        while chunk := await self._payload.readany():
            body += chunk
            if len(body) > at_most:
                return BodyProblem.TOO_LARGE
        return bytes(body)

    async def _ask_for_body(self) -> None:
        """Answer `Expect: 100-continue`; other expectations are ignored."""
        if self.version == HttpVersion11 and self.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            await self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # aiohttp takes written bytes for a begun answer.
            self.writer.output_size = 0

    async def _prepare_hook(self, response: StreamResponse) -> None:
        response.headers.popall(hdrs.SERVER, None)


class Connection(RequestHandler):
    """One connection."""

    def __init__(self, connections: "Connections", service: HttpService, **options: Any) -> None:
        super().__init__(connections, **options)
        self.service = service
        self._connections = connections
        self._head_began_s: float | None = None
        self._head_bytes = 0
        self._head_limit: asyncio.TimerHandle | None = None
        self._first_bytes_s: deque[float] = deque()
        self._newest_payload: StreamReader | None = None
        self._wire: asyncio.Transport | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being worked on, nor any that has arrived waits for it."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def is_within_head(self) -> bool:
        """Whether the first part of a head has arrived."""
        return self._head_began_s is not None

    @property
    def is_closing(self) -> bool:
        """Whether it is closed as soon as the peer has read the last answer."""
        return self._wire is not None and self._wire.is_closing()

    def abort(self) -> None:
        """Close it without sending what is not sent yet."""
        self.force_close()
        if self._wire is not None:
            self._wire.abort()

    def read_no_more(self) -> None:
        """Close it after this answer, without reading the rest of the request."""
        self._lingering_time = 0.0
        self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._wire = cast("asyncio.Transport", transport)
        self._connections.beginning.pop(self, None)
        self._connections.open[self] = None
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End; a request that is being worked on is finished."""
        self._end_head()
        self._connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse bytes, as many at a time as a head may have."""
        if len(data) <= _PARSED_AT_ONCE:
            self._parse(data)
            return
        for start in range(0, len(data), _PARSED_AT_ONCE):
            self._parse(data[start : start + _PARSED_AT_ONCE])

    def _parse(self, data: bytes) -> None:
        """Parse some bytes.

        What follows a request in the same bytes counts as arrived with the next ones: aiohttp does not say that it
        holds the beginning of a head. The limit for idle connections then ends it.
        """
        now_s = self.service.clock.monotonic()
        within_body = self._newest_payload is not None and not self._newest_payload.is_eof()
        began_s = now_s if self._head_began_s is None else self._head_began_s
        requests = self._request_count
        super().data_received(data)
        if self._request_count > requests:
            self._first_bytes_s.extend([began_s] * (self._request_count - requests))
            self._end_head()
            self._look_at_newest(within_body=within_body)
        elif data and not within_body:
            if self._head_began_s is None:
                self._begin_head(now_s)
            self._head_bytes += len(data)
            if self._head_bytes > self.service.limits.head_bytes:
                self._give_up_head()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the peer
    ) -> StreamResponse:
        """Return the answer to what is no request, and to a failure of ours; nothing of the peer's is in it."""
        if request.writer.output_size > 0:
            raise ConnectionError
        if status != _MALFORMED:
            self.service.report(exc or TimeoutError())
        return _response(self.service.malformed if status == _MALFORMED else self.service.failed, close=True)

    def log_exception(self, *_arguments: Any, exc_info: BaseException | None = None, **_more: Any) -> None:
        """Report that the connection failed, without texts of aiohttp's, which quote the peer."""
        self.service.report(exc_info or RuntimeError())

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """Send an answer, unless the peer does not read it in time."""
        limit = self._loop.call_later(self.service.limits.send_s, self.abort)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            limit.cancel()

    def next_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        writer: Any,
        task: "asyncio.Task[None]",
    ) -> HttpRequest:
        """Return the request that is worked on next."""
        request = HttpRequest(message, payload, self, writer, task, self._loop)
        request.first_byte_s = self._first_bytes_s.popleft()
        return request

    def _process_keepalive(self) -> None:
        if not self.is_within_head:
            super()._process_keepalive()

    def _begin_head(self, now_s: float) -> None:
        self._head_began_s = now_s
        self._head_limit = self._loop.call_later(self.service.limits.head_s, self._give_up_head)

    def _end_head(self) -> None:
        self._head_began_s = None
        self._head_bytes = 0
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None

    def _give_up_head(self) -> None:
        # An earlier request of the connection is still answered.
        if self.is_waiting:
            self.abort()
        else:
            self.close()

    def _look_at_newest(self, *, within_body: bool) -> None:
        message, payload = self._messages[-1]
        if isinstance(message, RawRequestMessage):
            self._newest_payload = payload
        elif within_body and self._newest_payload is not None:
            # aiohttp leaves the reader of a body waiting whose framing is broken.
            self._newest_payload.set_exception(RequestPayloadError())


class Connections(Server):
    """The connections of a listener, oldest first."""

    def __init__(self, service: HttpService) -> None:
        super().__init__(
            self._respond,
            request_factory=_request_of,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=service.limits.idle_s,
            lingering_time=_LINGER_S,
        )
        self.beginning: dict[Connection, asyncio.Task[None]] = {}
        """Accepted ones whose handshake is not over."""
        self.open: dict[Connection, None] = {}
        self.is_draining = False
        self.none_open = asyncio.Event()
        self._service = service

    def __call__(self) -> Connection:
        """Return the handler of a new connection."""
        return Connection(self, self._service, loop=self._loop, **self._kwargs)

    def forget(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self.open.pop(connection, None)
        if not self.open:
            self.none_open.set()

    async def _respond(self, request: BaseRequest) -> StreamResponse:
        received = cast("HttpRequest", request)
        answer = await self._service.handle(received)
        if answer.close:
            cast("Connection", request.protocol).read_no_more()
        return _response(answer, close=answer.close or self.is_draining or received.asks_for_upgrade)


def _request_of(
    message: RawRequestMessage, payload: StreamReader, connection: RequestHandler, writer: Any, task: Any
) -> BaseRequest:
    return cast("Connection", connection).next_request(message, payload, writer, task)


def _response(answer: HttpAnswer, *, close: bool) -> Response:
    response = Response(
        status=answer.status, body=answer.body, headers={hdrs.CONTENT_TYPE: answer.content_type, **answer.headers}
    )
    if close:
        response.force_close()
    return response
