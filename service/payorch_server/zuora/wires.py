"""The two ways onto the wire: aiohttp's client alone for the POSTs of calls, and httpx's API for all others.

httpx's API is what people and tests know, and an emulator in the same process can stand behind it; its objects cost as
much as sending does.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

import aiohttp
import httpx
from yarl import URL

from payorch_server.model.proxy import Proxy
from payorch_server.zuora.messages import Damage
from payorch_server.zuora.response_headers import header_fields

# What may stand before the first character of a text: byte order marks and blanks.
_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"
# A tenant has five; a parsed URL never changes.
_MAX_URLS: Final = 256


@dataclass(slots=True)
class Received:
    """What has arrived of an answer so far."""

    max_bytes: int
    """Of the body."""
    status: int = 0
    """0 before the head has arrived."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)
    damage: Damage | None = Damage.CUT
    """Of a body that has not arrived in full."""

    def begin(self, status: int, lines: Sequence[tuple[bytes, bytes]]) -> None:
        """Note the head."""
        self.headers = header_fields(lines)
        self.status = status

    def add(self, part: bytes) -> bool:
        """Note a part of the body; return whether the rest of it is wanted."""
        room = self.max_bytes - len(self.body)
        self.body += part[:room]
        if len(part) > room:
            self.damage = Damage.TOO_LARGE
        return len(part) <= room

    def end(self) -> None:
        """Note that all of the body has arrived; an empty one without a length may have been cut off at its head."""
        has_length = "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()
        self.damage = None if has_length or self.body.strip(_BEFORE_TEXT) else Damage.UNFRAMED


class Wire(Protocol):
    """Sends one POST once: no redirect, no cookie, no repetition, nothing decompressed."""

    async def exchange(
        self, url: str, headers: Mapping[str, str], body: bytes, *, connect_s: float, received: Received
    ) -> None:
        """Send, and note what arrives.

        Args:
            url: Where to.
            headers: All but those that describe the connection and the body's length.
            body: As it is sent.
            connect_s: For DNS, TCP and TLS together.
            received: Takes the answer.

        Raises:
            Exception: One of SEND_ERRORS, before the head or within the body.
        """


class AiohttpWire:
    """Sends with aiohttp's client and nothing else."""

    def __init__(self, session: aiohttp.ClientSession, proxy: Proxy | None = None) -> None:
        self._session = session
        self._proxy_url = proxy.url if proxy else None
        self._proxy_headers = proxy.headers if proxy else None

    async def exchange(
        self, url: str, headers: Mapping[str, str], body: bytes, *, connect_s: float, received: Received
    ) -> None:
        """Send, and note what arrives."""
        target = _parse_url(url)
        # Names in lower case, and in the order in which httpx's way sends them.
        head = {"host": target.host_port_subcomponent or "", **headers, "content-length": str(len(body))}
        # No limit of aiohttp's applies once there is a connection.
        limits = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s)
        # aiohttp repeats only idempotent methods by itself.
        async with self._session.request(
            "POST",
            target,
            headers=head,
            data=body,
            allow_redirects=False,
            timeout=limits,
            proxy=self._proxy_url,
            proxy_headers=self._proxy_headers,
        ) as answer:
            received.begin(answer.status, answer.raw_headers)
            while part := await answer.content.readany():
                if not received.add(part):
                    return
            received.end()


class HttpxWire:
    """Sends with a transport of httpx's."""

    def __init__(self, http: httpx.AsyncBaseTransport) -> None:
        self._http = http

    async def exchange(
        self, url: str, headers: Mapping[str, str], body: bytes, *, connect_s: float, received: Received
    ) -> None:
        """Send, and note what arrives."""
        # For aiohttp "pool" bounds all of getting a connection: DNS, TCP and TLS together.
        limits = {"connect": connect_s, "pool": connect_s, "read": None, "write": None}
        request = httpx.Request("POST", url, headers=dict(headers), content=body, extensions={"timeout": limits})
        try:
            answer = await self._http.handle_async_request(request)
        except UnicodeError as error:  # httpx-aiohttp puts the reason phrase into ASCII
            raise httpx.DecodingError("The status line cannot be read.", request=request) from error
        received.begin(answer.status_code, answer.headers.raw)
        try:
            async for part in answer.aiter_raw():
                if not received.add(part):
                    return
            received.end()
        finally:
            # A connection that breaks now costs nothing: what the answer says has been read.
            with contextlib.suppress(httpx.HTTPError, httpx.StreamError, aiohttp.ClientError):
                await answer.aclose()


@lru_cache(maxsize=_MAX_URLS)
def _parse_url(url: str) -> URL:
    try:
        return URL(url)
    except ValueError as error:
        raise aiohttp.InvalidUrlClientError(url) from error
