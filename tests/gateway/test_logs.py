"""Envoy's log."""

import asyncio
import json

import aiohttp
import pytest
from harness.requests import payment_method_request, session_request

from gateway.calls import SERVICE, Front, as_json

CANARY = "DE89370400440532013000"
CARD = "4111111111111111"


async def lines(front: Front, count: int) -> list[dict[str, object]]:
    """Return the access log once it has as many lines: Envoy writes them some time after the answer."""
    while True:
        found = [one for one in front.envoy.log.read_text().splitlines() if one.startswith("{")]
        if len(found) >= count:
            return [json.loads(one) for one in found]
        await asyncio.sleep(0.1)


@pytest.mark.asyncio
async def test_holds_no_sensitive_value(front: Front) -> None:
    """Not of a request, not of one that is refused, not of an address with a query."""
    right = as_json(payment_method_request())
    await front.post("CreatePaymentMethod", right, {"zuora-track-id": "log-1", "authorization": f"Bearer {CARD}"})
    wrong = {"sepaDebit": {"iban": CANARY}, "validateOnly": CARD}
    await front.post("CreatePaymentMethod", wrong, {"zuora-track-id": "log-2"})
    await front.post("CreatePaymentMethod", {CARD: CANARY}, {"zuora-track-id": "log-3"})
    async with aiohttp.ClientSession() as session:
        await session.post(f"http://{front.envoy.address}/{SERVICE}/CreatePaymentMethod?card.number={CARD}")

    nobody = as_json(session_request())
    nobody["oneTimePayment"]["accountId"] = "nobody"
    await front.post("CreateSession", nobody, {"zuora-track-id": "log-4"})
    await front.post("CreatePaymentMethod", right, {"zuora-track-id": f"{CARD} x"})

    told = await lines(front, 6)

    assert ["log-1", None, None, None, None, None] == [one["track_id"] for one in told]
    assert "log-4" == told[4]["track_id_of_error"]
    assert [200, 400, 400, 501, 404, 400] == [one["status"] for one in told]
    text = front.envoy.log.read_text()
    assert CANARY not in text
    assert CARD not in text
    assert "iban" not in text
