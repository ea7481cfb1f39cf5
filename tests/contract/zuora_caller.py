"""A caller of the emulated Zuora in process, and requests as a client of Zuora would send them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import httpx
from zuora_emulator import Emulator, ManualClock, OpenedToken, Settings, TokenNotOpenedError, seed
from zuora_emulator.state import Client

SESSIONS = "/web-payments/sessions"
DECRYPTION = "/v1/payment-methods/decryption"
METHODS = "/v2/payment_methods"
METHODS_V1 = "/v1/payment-methods"
MERCHANT = "merchant.example.payorch"


def open_stand_in(*, merchant_id: str, token: Mapping[str, Any], now: datetime) -> OpenedToken:
    """Open the tokens of `apple_token`, which are clear text: here the subject is what follows the opening."""
    if merchant_id != MERCHANT:
        raise TokenNotOpenedError("wrong_merchant", "the token was made for another merchant")
    minor, numeric, transaction_id = token["data"].split(" ")
    return OpenedToken(
        account_number="4111111111111111",
        expiration="391231",
        currency_numeric=numeric,
        amount_minor=int(minor),
        transaction_id=transaction_id,
    )


def apple_token(minor: int, numeric: str = "840", transaction_id: str = "t1") -> dict[str, Any]:
    """Make a token for `open_stand_in`."""
    data = f"{minor} {numeric} {transaction_id}"
    return {"version": "EC_v1", "data": data, "signature": "s", "header": {"transactionId": transaction_id}}


def decryption(**more: Any) -> dict[str, Any]:
    """Make a request that pays INV00000002 (42.50 USD) in full; `None` takes a field away."""
    body = {
        "integrationType": "ApplePay",
        "merchantID": MERCHANT,
        "paymentToken": apple_token(4250),
        "processPayment": True,
        "accountID": seed.ACCOUNT_US.id,
        "invoiceId": "INV00000002",
        "paymentGateway": seed.GATEWAY_US.name,
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


@dataclass(slots=True)
class Caller:
    """A client of the emulated Zuora; US entity of client A unless told otherwise."""

    emulator: Emulator
    clock: ManualClock
    http: httpx.AsyncClient

    async def token(self, client: Client = seed.CLIENT_A, **headers: str) -> httpx.Response:
        """Ask for an access token."""
        form = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "grant_type": "client_credentials",
        }
        return await self.http.post("/oauth/token", data=form, headers=headers)

    async def bearer(self, client: Client = seed.CLIENT_A) -> dict[str, str]:
        """Get the headers of an authorised call; client A's are for the US entity."""
        token = (await self.token(client)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}", "zuora-version": "2025-08-12"}
        return headers | ({"zuora-entity-ids": seed.ENTITY_US} if client is seed.CLIENT_A else {})

    async def post(
        self, path: str, body: Any, *, client: Client = seed.CLIENT_A, **headers: str | None
    ) -> httpx.Response:
        """Send JSON; header names are written with underscores, and `None` takes a usual header away."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = await self.bearer(client) | given
        sent = {name: value for name, value in merged.items() if value is not None}
        return await self.http.post(path, json=body, headers=sent)


class CallWith(Protocol):
    """Makes a caller of an emulator with the given switches."""

    def __call__(self, *, jump: bool = True, **switches: object) -> Caller:
        """Make one."""
        ...


def caller_with(settings: Settings, *, jump: bool = True, **more: Any) -> Caller:
    """Make an emulator that can be repeated, and its caller; `jump` as in `ManualClock`, more as in `Emulator`."""
    clock = ManualClock(jump=jump)
    rng = random.Random(7)  # noqa: S311 - a test
    emulator = Emulator(clock=clock, rng=rng, settings=settings, opener=open_stand_in, **more)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url="http://zuora")
    return Caller(emulator=emulator, clock=clock, http=http)
