"""The connections to Zuora: aiohttp's pools, with one TLS configuration for everything that is sent."""

import ssl
from collections import deque
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp

from payorch_server.zuora.messages import IDEMPOTENCY_KEY_HEADER, TRACK_ID_HEADER
from payorch_server.zuora.send_errors import ConnectionUnusableError, MisdirectedAnswerError, ProxyError
from payorch_server.zuora.settings import ZuoraHttpSettings

# Of an answer's head. Real ones have some forty fields; the largest, a content security policy, has a few kilobytes.
_MAX_FIELD_BYTES: Final = 128 * 1024
_MAX_FIELDS: Final = 512
# How many connections that hold an answer to nothing are closed before a call gives up.
_MAX_UNUSABLE: Final = 5
# How many requests of a connection are remembered: as many unsolicited answers in a row are recognized.
_REMEMBERED_REQUESTS: Final = 8


class _Connector(aiohttp.TCPConnector):
    """Connections, none of which holds a part of an answer before a request is sent on it.

    aiohttp would take what arrived on an idle connection, such as a 408 of its server or a late answer to an earlier
    call, for the answer to the next request. And what a proxy answers when it is asked for a tunnel would look as if it
    were about the request, of which nothing has been sent by then.
    """

    async def connect(self, *request: Any, **options: Any) -> aiohttp.connector.Connection:
        """Return a kept connection or a new one."""
        for _ in range(_MAX_UNUSABLE):
            try:
                connection = await super().connect(*request, **options)
            except aiohttp.ClientResponseError as error:
                raise ProxyError(f"status {error.status}") from error
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                raise ProxyError(type(error).__name__) from error
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        raise ConnectionUnusableError


class _Answer(aiohttp.ClientResponse):
    """An answer; what answers an earlier request on the connection is an error.

    A proxy that answers a request twice shifts every later answer by one. The second answer may arrive when the next
    request has been sent, so only the Zuora-Track-Id that it echoes shows whose it is. Zuora itself echoes an earlier
    one in the stored answer to an Idempotency-Key, but only in an answer to that key.
    """

    _requests: Final[WeakKeyDictionary[object, deque[tuple[str, str]]]] = WeakKeyDictionary()
    """Track-Ids and keys of the latest requests of each connection."""

    def __repr__(self) -> str:
        # aiohttp's own shows the header fields, and if it is called too early there never are any.
        return f"{type(self).__name__}({self.status})"

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Read the head.

        Raises:
            MisdirectedAnswerError: It answers an earlier request; the connection is closed.
        """
        protocol = connection.protocol
        await super().start(connection)
        sent, echoed = self.request_info.headers, self.headers.get(TRACK_ID_HEADER, "")
        track_id, key = sent.get(TRACK_ID_HEADER, ""), sent.get(IDEMPOTENCY_KEY_HEADER, "")
        earlier = self._requests.setdefault(protocol, deque(maxlen=_REMEMBERED_REQUESTS))
        if echoed != track_id and echoed in {other for other, _ in earlier} and (echoed, key) not in earlier:
            if protocol is not None:
                protocol.close()
            raise MisdirectedAnswerError
        earlier.append((track_id, key))
        return self


def open_session(
    settings: ZuoraHttpSettings, *, context: ssl.SSLContext, single_use: bool = False
) -> aiohttp.ClientSession:
    """Return a client with a pool for each origin. Call it inside the loop, and close it in the end.

    Args:
        settings: Of the pools.
        context: Of TLS.
        single_use: Whether each request has a connection of its own.
    """
    # aiohttp keeps the connections of each origin apart; only its limit would span them, and one origin that does not
    # answer would take the connections of the others. ConcurrencyLimiter bounds the calls of each tenant and entity, so
    # at most as many connections are open, and no call ever waits for one.
    keepalive_s = None if single_use else settings.keepalive_s
    connector = _Connector(limit=0, ssl=context, keepalive_timeout=keepalive_s, force_close=single_use)
    # No cookie of one tenant may travel with a call of another.
    return aiohttp.ClientSession(
        connector=connector,
        response_class=_Answer,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_line_size=_MAX_FIELD_BYTES,
        max_field_size=_MAX_FIELD_BYTES,
        max_headers=_MAX_FIELDS,
    )
