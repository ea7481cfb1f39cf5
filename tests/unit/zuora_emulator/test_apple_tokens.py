"""With the real authority: a token minted by the emulator pays an invoice of the emulator."""

import httpx
import pytest
from zuora_emulator import Emulator, ManualClock, seed

apple_pay = pytest.importorskip("zuora_emulator.apple_pay", reason="the Apple Pay authority is not part of this build")

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


def minted(clock: ManualClock) -> dict[str, object]:
    return apple_pay.mint_token(
        authority=apple_pay.AppleAuthority.published(),
        merchant_id=MERCHANT,
        amount_minor=1234,
        currency_numeric="840",
        now=clock.now(),
    )


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

    answer = await decrypt(Emulator(clock=clock), apple_pay.wrap_token(minted(clock)))

    assert answer.status_code == 400
