"""The connections to Zuora: aiohttp's pool, with one TLS configuration for everything that is sent."""

import ssl
from typing import Any, Final

import aiohttp

from payorch_server.zuora.send_errors import ConnectionUnusableError
from payorch_server.zuora.settings import ZuoraHttpSettings

# Of an answer's head. Real ones have some forty fields; the largest, a content security policy, has a few kilobytes.
_MAX_FIELD_BYTES: Final = 128 * 1024
_MAX_FIELDS: Final = 512
# How many connections that hold an answer to nothing are closed before a call gives up.
_MAX_UNUSABLE: Final = 5


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
        raise ConnectionUnusableError


def open_session(settings: ZuoraHttpSettings, *, context: ssl.SSLContext) -> aiohttp.ClientSession:
    """Return a client with a pool for each origin. Call it inside the loop, and close it in the end."""
    # aiohttp keeps the connections of each origin apart; only its limit would span them, and one origin that does not
    # answer would take the connections of the others. ConcurrencyLimiter bounds the calls of each tenant and entity, so
    # at most as many connections are open, and no call ever waits for one.
    connector = _Connector(limit=0, ssl=context, keepalive_timeout=settings.keepalive_s)
    # No cookie of one tenant may travel with a call of another.
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_line_size=_MAX_FIELD_BYTES,
        max_field_size=_MAX_FIELD_BYTES,
        max_headers=_MAX_FIELDS,
    )
