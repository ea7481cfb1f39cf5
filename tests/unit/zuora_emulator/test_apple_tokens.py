"""With the real authority: a token minted by the emulator pays an invoice of the emulator."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from zuora_emulator import Emulator, ManualClock, Settings, seed
from zuora_emulator.apple_tokens import minted_token

pytestmark = pytest.mark.asyncio

MERCHANT = "merchant.example.payorch"


async def decrypt(emulator: Emulator, token: object, *, merchant: str = MERCHANT) -> httpx.Response:
    client = seed.CLIENT_B
    form = {"client_id": client.client_id, "client_secret": client.client_secret, "grant_type": "client_credentials"}
    body = {
        "integrationType": "ApplePay",
        "merchantID": merchant,
        "paymentToken": token,
        "processPayment": True,
        "accountID": seed.ACCOUNT_SINGLE.id,
        "invoiceId": seed.INVOICE_SINGLE.number,
        "paymentGateway": seed.GATEWAY_SINGLE.name,
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url="http://zuora") as http:
        bearer = (await http.post("/oauth/token", data=form)).json()["access_token"]
        headers = {"authorization": f"Bearer {bearer}", "zuora-version": "2025-08-12"}
        return await http.post("/v1/payment-methods/decryption", json=body, headers=headers)


def minted(clock: ManualClock, **more: Any) -> dict[str, Any]:
    return minted_token(merchant_id=MERCHANT, amount_minor=1234, currency_numeric="840", now=clock.now(), **more)


async def test_a_minted_token_pays() -> None:
    clock = ManualClock()
    emulator = Emulator(clock=clock)

    answer = await decrypt(emulator, minted(clock))

    assert answer.json()["amount"] == "12.34"
    assert str(emulator.state.invoices[seed.INVOICE_SINGLE.id].balance) == "87.66"


@pytest.mark.parametrize("merchant", ["merchant.example.other", "merchant.example.unknown"])
async def test_a_token_of_another_merchant_is_refused(merchant: str) -> None:
    clock = ManualClock()

    answer = await decrypt(Emulator(clock=clock), minted(clock), merchant=merchant)

    assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (400, 53000020)


async def test_a_wrapped_token_is_refused() -> None:
    clock = ManualClock()

    answer = await decrypt(Emulator(clock=clock), minted(clock, wrapped=True))

    assert answer.status_code == 400


async def test_an_old_token_is_refused() -> None:
    clock = ManualClock()
    token = minted(clock)

    clock.advance(timedelta(hours=1))

    assert (await decrypt(Emulator(clock=clock), token)).status_code == 400


async def test_a_changed_token_is_refused() -> None:
    clock = ManualClock()
    token = minted(clock)
    other = minted(clock)

    assert (await decrypt(Emulator(clock=clock), token | {"data": other["data"]})).status_code == 400


@pytest.mark.parametrize(
    ("variants", "settings", "status"),
    [
        (["rsa"], Settings(), 400),
        (["rsa"], Settings(rsa_tokens="accept"), 200),
        (["emv"], Settings(), 200),
        (["emv"], Settings(emv_tokens="refuse"), 400),
        (["rsa", "emv", "der"], Settings(rsa_tokens="accept"), 200),
    ],
)
async def test_switches_decide_about_kinds_of_tokens(variants: list[str], settings: Settings, status: int) -> None:
    clock = ManualClock()
    emulator = Emulator(clock=clock, settings=settings)

    answer = await decrypt(emulator, minted(clock, variants=variants, application_data="order 17"))

    assert answer.status_code == status
    assert len(emulator.ledger.of("decryption")) == (1 if status == 200 else 0)


async def test_another_token_of_the_same_transaction_is_a_replay() -> None:
    clock = ManualClock()
    emulator = Emulator(clock=clock)
    first, second = (minted(clock, transaction_id="ab" * 32) for _ in range(2))

    assert (await decrypt(emulator, first)).status_code == 200
    replayed = await decrypt(emulator, second)

    assert first != second
    assert (replayed.status_code, replayed.json()["reasons"][0]["code"]) == (400, 53000030)
