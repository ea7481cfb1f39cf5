"""Zuora as the hub sees it: payments over HTTP, each with an id of its own."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from programs.bench.windows import Call, Caller, Order, WrongAnswerError, obey
from programs.bench.workload import HUB_PASSWORD, HUB_USER, hub_payment

# More than are ever in flight: a window of load does not wait for a connection.
_CONNECTIONS = 1024
_OK = 200


@asynccontextmanager
async def _callers() -> AsyncIterator[Caller]:
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    headers = {"Authorization": aiohttp.encode_basic_auth(HUB_USER, HUB_PASSWORD)}
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        def caller(order: Order) -> Call:
            async def call() -> None:
                body = hub_payment(secrets.token_hex(16))
                async with session.post(order.target, data=body, headers=headers) as response:
                    content = await response.read()
                    if response.status != _OK or b'"Approved"' not in content:
                        raise WrongAnswerError(f"status {response.status}: {content[:200]!r}")

            return call

        yield caller


if __name__ == "__main__":
    obey(_callers)
