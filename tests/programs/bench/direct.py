"""The floor of HTTP: the service's own upstream request, sent by a client that does nothing else."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from programs.bench.windows import Call, Caller, Order, WrongAnswerError, obey
from programs.bench.workload import UPSTREAM_BODY, upstream_headers

# More than are ever in flight: aiohttp is unfair to those that wait for a connection, and a floor does not wait.
_CONNECTIONS: Final = 1024
# The service's defaults.
_KEEPALIVE_S: Final = 15.0
_TIMEOUTS: Final = {"timeout": {"connect": 2.0, "pool": 1.0, "read": None, "write": None}}
_OK: Final = 200


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def _check(status: int, body: bytes) -> None:
    if status != _OK or not body:
        raise WrongAnswerError(f"status {status} with {len(body)} bytes")


@asynccontextmanager
async def _httpx_callers() -> AsyncIterator[Caller]:
    async with AiohttpTransport(client=_session) as http:

        def caller(order: Order) -> Call:
            async def call() -> None:
                headers = upstream_headers()
                request = httpx.Request(
                    "POST", order.target, headers=headers, content=UPSTREAM_BODY, extensions=_TIMEOUTS
                )
                response = await http.handle_async_request(request)
                _check(response.status_code, await response.aread())
                await response.aclose()

            return call

        yield caller


@asynccontextmanager
async def _aiohttp_callers() -> AsyncIterator[Caller]:
    async with _session() as session:

        def caller(order: Order) -> Call:
            async def call() -> None:
                async with session.post(order.target, data=UPSTREAM_BODY, headers=upstream_headers()) as response:
                    _check(response.status, await response.read())

            return call

        yield caller


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("api", choices=("httpx", "aiohttp"))
    obey(_httpx_callers if parser.parse_args().api == "httpx" else _aiohttp_callers)
