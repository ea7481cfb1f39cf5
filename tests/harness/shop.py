"""The example's shop with the double of the service behind it, called as its page does."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from aiohttp.test_utils import TestClient, TestServer
from payorch import Resend
from payorch.testing import FakePayorch
from shop.apple import Merchant
from shop.backend import Shop
from shop.orders import Order, Orders

ORDER = Order("4711", "2c92c0f8000000000000000000000001", "INV00000002", "42.50", "USD", "US")
MERCHANT = Merchant(identifier="merchant.example.payorch", name="Example shop")
TOKEN = {"paymentData": {"data": "first"}}
OTHER_TOKEN = {"paymentData": {"data": "second"}}


@dataclass(frozen=True, slots=True)
class Page:
    """What a page sends to its back end about one order."""

    client: TestClient[Any, Any]

    async def pay(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a token, or nothing to ask again; return what is shown."""
        return await self.send("payment", body or {})

    async def send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send an object; return what is shown."""
        async with self.client.post(f"/orders/{ORDER.id}/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            shown: dict[str, Any] = await answer.json()
            return shown


@asynccontextmanager
async def opened(
    fake: FakePayorch,
    file: Path,
    *,
    merchant: Merchant = MERCHANT,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> AsyncIterator[Page]:
    """Start a back end with its orders in a file; return its page. Opened twice, it is as after a restart."""
    orders = Orders(file)
    orders.add(ORDER)
    try:
        async with (
            fake.connect_async(resend=Resend(attempts=1), interceptors=interceptors) as client,
            TestClient(TestServer(Shop(client, orders, merchant).application())) as http,
        ):
            yield Page(http)
    finally:
        orders.close()
