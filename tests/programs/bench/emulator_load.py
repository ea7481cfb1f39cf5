"""The emulator's caller: sessions of its built-in world over HTTP, each with ids of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec
from zuora_emulator import seed

from programs.bench.windows import Call, Caller, Order, WrongAnswerError, obey
from programs.bench.workload import SESSIONS_PATH, TOKEN_PATH, upstream_headers

# More than are ever in flight: a window of load does not wait for a connection.
_CONNECTIONS: Final = 1024
_INVOICE: Final = seed.INVOICES[0]
_ACCOUNT: Final = next(account for account in seed.ACCOUNTS if account.id == _INVOICE.account_id)
# The members of the service's own request.
_BODY: Final = msgspec.json.encode(
    {
        "currency": _INVOICE.currency,
        "amount": float(_INVOICE.balance),
        "processPayment": True,
        "storePaymentMethod": True,
        "accountId": _ACCOUNT.id,
        "paymentGateway": _ACCOUNT.gateway_id,
        "invoices": [{"invoiceNumber": _INVOICE.number}],
    }
)
_OK: Final = 200


class _Token:
    """The access token of an emulator, fetched by the first call."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session, self._url = session, base_url + TOKEN_PATH
        self._fetching = asyncio.Lock()
        self._token = ""

    async def headers(self) -> dict[str, str]:
        """Return the headers of a call that has them all."""
        async with self._fetching:
            self._token = self._token or await self._fetched()
        own = {"authorization": f"Bearer {self._token}", "zuora-entity-ids": _ACCOUNT.entity}
        return upstream_headers() | own

    async def _fetched(self) -> str:
        client = seed.CLIENT_A
        form = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "grant_type": "client_credentials",
        }
        async with self._session.post(self._url, data=form) as response:
            if response.status != _OK:
                raise WrongAnswerError(f"status {response.status} of the token endpoint")
            token: str = msgspec.json.decode(await response.read())["access_token"]
            return token


@asynccontextmanager
async def _callers() -> AsyncIterator[Caller]:
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        def caller(order: Order) -> Call:
            token, url = _Token(session, order.target), order.target + SESSIONS_PATH

            async def call() -> None:
                headers = await token.headers()
                async with session.post(url, data=_BODY, headers=headers) as response:
                    content = await response.read()
                    if response.status != _OK or b'"token"' not in content:
                        raise WrongAnswerError(f"status {response.status}: {content[:200]!r}")

            return call

        yield caller


if __name__ == "__main__":
    obey(_callers)
