"""`python -m shop`: the back end, configured by the environment."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path

import payorch
from aiohttp import web
from payorch import aio

from shop.apple import Merchant
from shop.backend import Shop
from shop.orders import Orders


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    return Path(environment[name]) if environment.get(name) else None


async def application(environment: Mapping[str, str]) -> web.Application:
    """Return the back end; it ends its connections when it is stopped.

    Raises:
        KeyError: A setting is missing, the one that is named.
    """
    tls = payorch.Tls.from_files(
        ca_file=environment.get("PAYORCH_CA_FILE", ""),
        certificate_file=environment.get("PAYORCH_CERTIFICATE_FILE", ""),
        key_file=environment.get("PAYORCH_KEY_FILE", ""),
    )
    target, database = environment["PAYORCH_TARGET"], Path(environment["SHOP_DATABASE"])
    merchant = Merchant(
        identifier=environment["APPLE_MERCHANT_ID"],
        name=environment["SHOP_NAME"],
        domain=environment.get("APPLE_DOMAIN", ""),
        identity_file=_file(environment, "APPLE_IDENTITY_FILE"),
        association_file=_file(environment, "APPLE_ASSOCIATION_FILE"),
    )

    # Nothing is opened before all settings are read.
    client, orders = aio.connect(target, tls=tls), Orders(database)

    async def opened(_application: web.Application) -> AsyncIterator[None]:
        with closing(orders):
            async with client:
                yield

    made = Shop(client, orders, merchant).application()
    made.cleanup_ctx.append(opened)
    return made


if __name__ == "__main__":
    try:
        web.run_app(application(os.environ), host="127.0.0.1", port=int(os.environ.get("SHOP_PORT", "8080")))
    except KeyError as missing:
        sys.exit(f"{missing.args[0]} is not set; README.md has all settings.")
