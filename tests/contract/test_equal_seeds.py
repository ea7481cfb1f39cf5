"""Two emulators in two processes, given one seed, one file and one script, cannot be told apart."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

MERCHANT = "merchant.example.payorch"
BOOKS = ("journal", "ledger", "upc", "invoices", "clock")


@asynccontextmanager
async def serving(*options: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve in a process of its own."""
    command = (sys.executable, "-m", "zuora_emulator", "serve", "--port", "0", *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        # The journal shows the host, which holds a port of chance.
        headers = {"host": "zuora"}
        async with httpx.AsyncClient(base_url=first.split()[-1], headers=headers, trust_env=False) as http:
            yield http
    finally:
        process.terminate()
        await process.communicate()


async def played(http: httpx.AsyncClient) -> dict[str, bytes]:
    """Play a script of successes, refusals, faults and passing time, and return every answer and book."""
    client = seed.CLIENT_A
    form = {"client_id": client.client_id, "client_secret": client.client_secret, "grant_type": "client_credentials"}
    token = await http.post("/oauth/token", data=form)
    bearer = {"authorization": f"Bearer {token.json()['access_token']}", "zuora-entity-ids": seed.ENTITY_US}
    minted = await http.post("/_emulator/apple-pay-tokens", json={"amount": "42.50", "currency": "USD"})
    decryption = {
        "integrationType": "ApplePay",
        "merchantID": MERCHANT,
        "paymentToken": minted.json()["token"],
        "processPayment": True,
        "accountID": seed.ACCOUNT_US.id,
        "invoiceId": "INV00000002",
        "paymentGateway": seed.GATEWAY_US.name,
    }
    method = {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}}
    external = {"type": "External", "accountId": seed.ACCOUNT_US.id, "paymentMethodType": "Check", "currency": "USD"}
    calls: list[tuple[str, Any, dict[str, str]]] = [
        ("/_emulator/faults", {"fault": "sessions:503"}, {}),
        ("/web-payments/sessions", {"currency": "USD", "amount": 1, "processPayment": False}, bearer),
        ("/web-payments/sessions", {"currency": "USD", "amount": 1, "processPayment": False}, bearer),
        ("/v1/payment-methods/decryption", decryption, bearer | {"idempotency-key": "k"}),
        ("/_emulator/clock", {"seconds": 60}, {}),
        ("/v1/payment-methods/decryption", decryption, bearer | {"idempotency-key": "k"}),
        ("/v1/payment-methods/decryption", decryption, bearer),
        ("/v2/payment_methods", method, bearer),
        ("/v2/payment_methods", {"type": "nonsense"}, bearer),
        ("/v1/payments", external | {"amount": 10}, bearer),
        ("/v1/payments/P-00000002/refunds", external | {"totalAmount": 4, "methodType": "Check"}, bearer),
        ("/v1/payments/P-00000002/refunds", external | {"totalAmount": 7, "methodType": "Check"}, bearer),
    ]
    answers = [await http.post(path, json=body, headers=headers) for path, body, headers in calls]
    assert [answer.status_code for answer in answers] == [200, 503, 200, 200, 200, 200, 200, 201, 400, 200, 200, 200]
    assert [answer.json()["success"] for answer in answers[-3:]] == [True, True, False]
    answers += [await http.get(path, headers=bearer) for path in ("/v1/payments?sort=-amount", "/v1/refunds")]
    books = {book: (await http.get(f"/_emulator/{book}")).content for book in BOOKS}
    heads = json.dumps([sorted(answer.headers.items()) for answer in answers]).encode()
    return books | {"answers": b"\n".join(answer.content for answer in answers), "headers": heads}


async def test_equal_seeds_give_equal_books_byte_for_byte(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(seed.fixtures().as_yaml())
    options = ("--seed", "7", "--fixtures", str(mine))
    async with serving(*options) as first, serving(*options) as second:
        assert await played(first) == await played(second)


async def test_other_seeds_give_other_ids() -> None:
    async with serving("--seed", "7") as first, serving("--seed", "8") as second:
        one, other = await played(first), await played(second)

    assert one["answers"] != other["answers"]
    assert one["invoices"] == other["invoices"]
