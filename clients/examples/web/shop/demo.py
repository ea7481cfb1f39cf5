"""`python -m shop.demo TARGET PORT`: the back end against the emulator, with a stand-in for the payer's Apple device.

Nothing of this is in `python -m shop`: it has no orders of its own, and no address that makes tokens.
"""

import argparse
import asyncio
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from aiohttp import web
from payorch import aio
from zuora_emulator import seed
from zuora_emulator.apple_tokens import minted_token

from shop.apple import Merchant
from shop.backend import Shop
from shop.orders import Order, Orders

MERCHANT: Final = Merchant(identifier="merchant.example.payorch", name="Example shop")
_ACCOUNT: Final = seed.ACCOUNT_US.id
# All pay a part of one large invoice, so that Zuora would take a second payment of an order.
_INVOICE: Final = seed.INVOICE_US_LARGE.number
_AMOUNTS: Final = ("42.50", "18.00", "19.00", "20.00", "21.00", "22.00", "23.00")
ORDERS: Final = tuple(
    Order(str(number), _ACCOUNT, _INVOICE, amount, "USD", "US") for number, amount in enumerate(_AMOUNTS, start=4711)
)
_CODES: Final = {"USD": "840"}


def with_stand_in(application: web.Application, orders: Orders) -> web.Application:
    """Add the address at which the page's stand-in gets the token that an Apple device would make."""

    async def token(request: web.Request) -> web.Response:
        order = orders.order(request.match_info["id"])
        if order is None:
            raise web.HTTPNotFound
        minted = minted_token(
            merchant_id=MERCHANT.identifier,
            amount_minor=int(Decimal(order.amount) * 100),
            currency_numeric=_CODES[order.currency],
            now=datetime.now(UTC),
            wrapped=True,
        )
        return web.json_response(minted)

    async def script(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(Path(__file__).with_name("stand-in.js"))

    application.router.add_post("/stand-in/{id}", token)
    application.router.add_get("/stand-in.js", script)
    return application


async def serve(target: str, port: int) -> None:
    """Serve until the process is ended; prints the address of the first order."""
    with (
        tempfile.TemporaryDirectory(prefix="payorch-shop-") as folder,
        closing(Orders(Path(folder) / "shop.sqlite")) as orders,
    ):
        for order in ORDERS:
            orders.add(order)
        async with aio.connect(target, plaintext=True) as client:
            runner = web.AppRunner(with_stand_in(Shop(client, orders, MERCHANT).application(), orders))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            print(f"The shop is on {url}/?order={ORDERS[0].id}, not for real payments", flush=True)
            try:
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="where payorch listens, without TLS, such as 127.0.0.1:50051")
    parser.add_argument("port", type=int, nargs="?", default=8080)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.target, arguments.port))
